"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const table = document.getElementById("variants");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (element, place) => ({
    element, place, values: data.rows[place], texts: Array.from(element.cells, (cell) => cell.textContent.toLowerCase()),
  }));
  const heads = Array.from(table.tHead.rows[0].cells);
  const labels = heads.map((head) => head.textContent.toLowerCase());
  const axes = heads.flatMap((head, column) => head.classList.contains("axis") ? [column] : []);
  const words = document.getElementById("words");
  const limited = document.getElementById("limited");
  const limit = document.getElementById("limit");
  const found = document.getElementById("found");

  // Missing values stand last, whichever way the others go.
  const compare = (column, sign) => (one, other) => {
    const [a, b] = [one.values[column], other.values[column]];
    if (a === null || b === null) return (a === null) - (b === null) || one.place - other.place;
    return sign * (a < b ? -1 : a > b ? 1 : 0) || one.place - other.place;
  };

  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const descending = head.getAttribute("aria-sort") === "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    body.append(...[...rows].sort(compare(column, descending ? -1 : 1)).map((row) => row.element));
  }));

  // Of a comma before three digits each it divides thousands; another one is a decimal point.
  const number = (text) => Number(/^\d{1,3}(,\d{3})+(\.\d*)?$/.test(text) ? text.replaceAll(",", "") : text.replace(",", "."));

  const within = (row) => {
    const most = number(limit.value.trim());
    if (limited.value === "" || limit.value.trim() === "" || Number.isNaN(most)) return true;
    const column = Number(limited.value);
    return row.values[column] !== null && row.values[column] / data.scales[column] <= most;
  };

  // Whom the fastest is tied with, fastest first: `ties` are runs of places in `order`.
  const tied = (best) => data.ties[best].flatMap((from, turn, turns) => turn % 2 ? [] : data.order.slice(from, turns[turn + 1]));

  const sure = (best, timed) => {
    const group = (place) => data.groups[place];
    if (group(best) === null) return "How sure that is, is not known.";
    const others = timed.map((row) => row.place).filter((place) => place !== best);
    if (!others.length) return "No other was measured.";
    const here = new Set(others);
    const ties = tied(best).filter((place) => here.has(place));
    const missing = [
      others.filter((place) => group(place) === null).length,
      others.filter((place) => group(place) !== null && group(place) !== group(best)).length,
    ];
    const left = missing[0] + missing[1];
    const told = others.length - left;
    const more = ties.length > 4 ? ` and ${ties.length - 4} more` : "";
    const reasons = data.reasons.map((why, n) => `${missing[n]} (${why})`).filter((_, n) => missing[n]).join(", ");
    return [
      ties.length ? `It cannot be told from ${ties.slice(0, 4).map((place) => data.names[place]).join("; ")}${more}.`
        : !told ? "" : left ? `It is told apart from the ${told > 1 ? told : "one"} it was compared with.` : "It is told apart from all of them.",
      left ? `Not compared with it: ${reasons}.` : "",
    ].filter(Boolean).join(" ");
  };

  const tell = (shown) => {
    const timed = shown.filter((row) => data.speed[row.place] !== null);
    const wrong = Number.isNaN(number(limit.value.trim()));
    limit.setAttribute("aria-invalid", String(wrong));
    found.textContent = `${shown.length} of ${rows.length} variants.`
      + (wrong ? ` The limit is not a number, so there is none: ${limit.value}.` : "")
      + (limited.value === "" && limit.value.trim() !== "" ? " Nothing is limited yet: choose what is at most that." : "");
    if (!timed.length) return;
    const best = timed.reduce((one, other) => (data.speed[other.place] < data.speed[one.place] ? other : one));
    found.textContent += ` Fastest: ${data.names[best.place]}, ${data.latency[best.place]}. ${sure(best.place, timed)}`;
  };

  // `axis=value`, as names have it and as columns do by the end of their own: that value, no longer one and no other number.
  const parts = (word) => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)];
  const inNames = rows.map((row) => row.texts[0].split(/[\s,]+/).filter((word) => word.includes("=")));
  const keys = new Set(inNames.flat().map((word) => parts(word)[0]));
  const columnsOf = (key) => axes.filter((column) => labels[column] === key || labels[column].endsWith(`.${key}`));
  const has = (row, column, value) => row.texts[column] === value || row.values[column] === Number(value);

  // Another word stands anywhere in what is in sight.
  const says = (row, word, sight) => {
    const [key, value] = parts(word);
    const own = columnsOf(key);
    if (!word.includes("=") || !value || !(own.length || keys.has(key))) {
      return sight.some((column) => row.texts[column].includes(word));
    }
    return inNames[row.place].includes(word) || own.some((column) => has(row, column, value));
  };

  const update = () => {
    const wanted = words.value.toLowerCase().split(/[\s,]+/).filter(Boolean);
    const sight = heads.flatMap((head, column) => getComputedStyle(head).display === "none" ? [] : [column]);
    const shown = rows.filter((row) => {
      const kept = wanted.every((word) => says(row, word, sight)) && within(row);
      row.element.hidden = !kept;
      return kept;
    });
    tell(shown);
  };

  for (const control of [words, limited, limit]) control.addEventListener("input", update);
  document.getElementById("more").addEventListener("change", (event) => {
    table.classList.toggle("all", event.target.checked);
    update();
  });
  document.querySelector(".controls").addEventListener("submit", (event) => event.preventDefault());
  document.body.classList.add("live");
  update();
})();
