"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const table = document.getElementById("variants");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (element, place) => ({
    element, place, values: data.rows[place], text: element.textContent.toLowerCase(),
  }));
  const heads = Array.from(table.tHead.rows[0].cells);
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

  const within = (row) => {
    const most = Number(limit.value.replace(",", "."));
    if (limited.value === "" || limit.value.trim() === "" || Number.isNaN(most)) return true;
    const column = Number(limited.value);
    return row.values[column] !== null && row.values[column] / data.scales[column] <= most;
  };

  const tell = (shown) => {
    const timed = shown.filter((row) => data.speed[row.place] !== null);
    found.textContent = `${shown.length} of ${rows.length} variants.`;
    if (!timed.length) return;
    const best = timed.reduce((one, other) => (data.speed[other.place] < data.speed[one.place] ? other : one));
    const here = new Set(shown.map((row) => row.place));
    const ties = data.ties[best.place].filter((place) => here.has(place));
    const more = ties.length > 4 ? ` and ${ties.length - 4} more` : "";
    const sure = !data.sure[best.place] ? "How sure that is, is not known."
      : ties.length ? `It cannot be told from ${ties.slice(0, 4).map((place) => data.names[place]).join("; ")}${more}.`
      : "It is told apart from all of them.";
    found.textContent += ` Fastest: ${data.names[best.place]}, ${data.latency[best.place]}. ${sure}`;
  };

  const update = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = rows.filter((row) => {
      const kept = wanted.every((word) => row.text.includes(word)) && within(row);
      row.element.hidden = !kept;
      return kept;
    });
    tell(shown);
  };

  for (const control of [words, limited, limit]) control.addEventListener("input", update);
  document.getElementById("more").addEventListener("change", (event) => table.classList.toggle("all", event.target.checked));
  document.querySelector(".controls").addEventListener("submit", (event) => event.preventDefault());
  document.body.classList.add("live");
  update();
})();
