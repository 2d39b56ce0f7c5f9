"""The glossary has every word that the registries, the records and the tables hold, each once, in the order of the alphabet."""

from __future__ import annotations

import re
from dataclasses import fields
from itertools import chain
from pathlib import Path
from typing import get_args

import pytest

import archbench
from archbench.comparison import budgets, judgement
from archbench.design.spec.schema import Quantity
from archbench.metrics import METRICS, SCALED, Kind
from archbench.models.variant import FAMILIES, Workload
from archbench.runs.records import Block, Phase, Record, Side, Status
from archbench.space.constraints import Funnel
from archbench.statistics.summary import Summary
from archbench.statistics.verdicts import Verdict, Word

ROOT = Path(archbench.__file__).parent.parent
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text()
INDEX, *REST = re.split(r"^## (.+)\n", GLOSSARY, flags=re.MULTILINE)
HEADINGS = REST[::2]
ENTRIES = dict(zip(HEADINGS, REST[1::2], strict=True))
NAMED = set(re.findall(r"`([^`]+)`", GLOSSARY))

HEADED = sorted(
    {
        *METRICS,
        *chain.from_iterable(map(get_args, (Kind, Status, Phase, Quantity, Word))),
        *filter(None, get_args(Side)),  # empty where nothing is compared
        *(family.replace("_", " ") for family in FAMILIES),
        *(field.name for field in fields(Workload)),
    }
)
HELD = sorted({field.name for held in (Record, Block, Summary, Verdict, Funnel) for field in fields(held)})
JUDGED = sorted({column.name for column in (*judgement.COLUMNS, *budgets.COLUMNS, budgets.STANDING)} | {budgets.WITHIN})


def anchor(heading: str) -> str:
    """The name by which a link finds a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("word", HEADED)
def test_every_metric_kind_status_and_word_of_a_registry_has_an_entry_of_its_own(word):
    assert word in ENTRIES


@pytest.mark.parametrize("name", sorted({*HELD, *JUDGED, *SCALED, *budgets.STANDING_WORDS.values()}))
def test_every_field_of_what_is_stored_or_judged_is_named(name):
    assert name in NAMED | ENTRIES.keys()


def test_every_column_of_a_stored_run_is_named():
    table = archbench.read_run("fpn_sweep/@latest", ROOT / "results" / "example").table()
    axes = [column for column in table.columns if column.partition(".")[0] in FAMILIES]
    assert len(axes) == 2
    assert set(table.columns) - set(axes) - NAMED - ENTRIES.keys() == set()


def test_no_two_entries_share_an_anchor_and_they_stand_in_the_order_of_the_alphabet():
    anchors = [anchor(heading) for heading in HEADINGS]
    assert len(set(anchors)) == len(anchors)
    assert anchors == sorted(anchors)


def test_every_link_leads_to_an_entry_and_the_list_of_subjects_has_each_once():
    assert set(re.findall(r"\]\(#([^)]+)\)", GLOSSARY)) == set(map(anchor, HEADINGS))
    subjects = "".join(re.findall(r"^- \*\*.+?(?=^- |\n\n)", INDEX, flags=re.MULTILINE | re.DOTALL))
    assert sorted(re.findall(r"\]\(#([^)]+)\)", subjects)) == sorted(map(anchor, HEADINGS))


@pytest.mark.parametrize("heading", HEADINGS)
def test_an_entry_begins_with_a_sentence_about_its_word(heading):
    first = ENTRIES[heading].strip().split(". ")[0].replace("\n", " ").lower()
    assert heading.lower().replace("_", " ") in first.replace("_", " ")
    assert ENTRIES[heading].strip().split("*Elsewhere:*")[0].split("*Never:*")[0].rstrip().endswith(".")
