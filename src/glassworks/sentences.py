"""Sentences that clients may say in their own language: each has a code that stays, and its values."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from glassworks.record import Record


class Sentence(Record):
    """`text` is it in English; `code` is empty for what others say, such as a library."""

    code: str = ""
    values: dict[str, int | float | str] = {}
    text: str

    def __str__(self) -> str:
        return self.text


def sentence(code: str, **values: int | float | str) -> Sentence:
    """One of `TEXTS` with its values."""
    return Sentence(code=code, values=values, text=TEXTS[code].format(**values))


_FINDINGS = {
    "contradictory-pictures": "contradictory labels: {n:,} pictures have copies, exact or near, with different labels, "
    "for example {example}",
    "left-out": "{n:,} examples with the same pixels and different labels are left out of all splits",
    "unreadable-files": "{n:,} files cannot be read: {names}",
    "alike-classes": "these classes differ only in case, blanks or signs, and are learned as different ones: {names}; "
    "to make one class of them, give them one name",
    "merged-classes": "'{name}' is one class: {names} differ in blanks or in how Unicode writes them",
    "inner-folders": "the classes are the folders in '{name}', which is the only one here",
    "split-folders": 'the folders {names} are parts, which data.split = "folders" keeps',
    "without-labels": "{n:,} pictures lie in a folder of pictures without labels and are left out: {names}",
    "names-otherwise": "{n:,} names of pictures in the table differ from their files in case, folders or suffix: "
    "'{given}' is read as {found}",
    "column-of-pictures": "the column '{name}' names the pictures, as its cells do",
    "column-of-labels": "the column '{name}' is read as the labels: it is the only other one",
    "labels-by-comma": "{n:,} cells hold several labels with commas between, such as '{example}'; data.separator says "
    "otherwise",
    "columns-not-read": "{n:,} columns of the table hold other things than 0 and 1 and are read as notes: {names}",
    "empty-cells": "{n:,} empty cells in the columns of labels are read as 0",
    "outside-classes": "{n:,} pictures lie outside the class folders and are left out: {names}",
    "not-in-table": "{n:,} pictures are not named in the table of labels and are left out: {names}",
    "dead-links": "{n:,} links lead nowhere and are left out: {names}",
    "linked-twice": "{n:,} links to folders that are read already are left out: {names}",
    "linked-folders": "{n:,} linked folders are followed: {names}",
    "not-opened": "{n:,} files cannot be opened and are left out: {names}",
    "not-pictures": "{n:,} files are no pictures that can be read and are left out: {names}",
    "no-texts": "{n:,} files are no texts of a kind that is read (txt, md, rst, html, csv, tsv, jsonl) and are left "
    "out: {names}",
    "texts-in-pdf": "{n:,} PDF files are left out: {names}; pdftotext FILE.pdf writes the text of one",
    "texts-too-large": "{n:,} files have more than 32 MiB and are left out: {names}; split them",
    "texts-unreadable": "{n:,} files cannot be read and are left out: {names}",
    "links-left-out": "{n:,} links are not followed: {names}; copy what they lead to into the folder",
    "system-files": "{n:,} hidden files, and files and folders that systems add, are left out: {names}",
    "bits-used": "{n:,} pictures of 16 bits a channel do not say how many they use, and none uses more than {bits}: "
    "they are read as {bits} bits; data.bits says otherwise",
    "bits-mixed": "{n:,} of {total:,} pictures of 16 bits a channel use less than a quarter of the {bits} bits that "
    "all are read with, and look dark: {names}; if they were written with fewer bits, scale all alike, or let each "
    "file say how many it uses (sBIT of PNG, SMaxSampleValue of TIFF)",
    "copied-pictures": "{n:,} of {total:,} examples ({percent:.1f}%) are exact copies of another; copies are in one "
    "split together",
    "near-pictures": "{n:,} distinct pictures are near copies of another (re-encoded, resized or brighter); they are "
    "in one split together",
    "zero-bytes": "{n:,} zero bytes are left out, the first in line {line:,}",
    "literal-quotes": "in {n:,} lines quotation marks enclose no cell and are signs of the text, first in line "
    '{line:,}; data.quote = "" reads all of them so',
    "lines-above": "{n:,} lines above the line of column names are left out",
    "texts-for-nothing": "{n:,} texts in '{column}' are only a word such as '{example}', which programs write where "
    'nothing is known; they are kept: data.na = ["{example}"] leaves them out',
    "words-for-no-label": "{n:,} labels are words for what is not known and are left out: {names}; data.na = [] keeps "
    "them as labels",
    "lists-of-labels": "{n:,} rows hold a list of labels, such as {example}: a text may have several",
    "alike-labels": "labels that differ in case, blanks or punctuation alone are different classes: {names}; to make "
    "them one: data.rename = {rename}",
    "labels-unlike-classes": "labels look like numbers, dates, ids or texts, and not like classes: {n:,} different "
    "ones for {total:,} texts, such as {names}; data.label names another column",
    "labels-like-nothing": "labels such as {names} may say that nothing is known; to leave them out: data.rename = "
    "{rename}",
    "lost-signs": "{n:,} texts hold what programs write for signs that they could not read or save, such as {name}: "
    "'{example}'; take the file from before that",
    "list-within": "the file is one object; the {n:,} rows are those in its list '{key}'",
    "names-again": "{n:,} rows repeat the line of column names, as in files that were joined, and are left out, such "
    "as {name}",
    "column-of-parts": "the column '{column}' seems to say the part of each row ({names}) and is not used; "
    'data.split = "{column}" keeps these parts',
    "lists-of-one": "each of {n:,} rows has a list of one label, such as {example}; data.multi_label = false if a text "
    "has exactly one",
    "lines-read-twice": "{n:,} lines look like UTF-8 that was read as {encoding} and saved again: {example} was "
    "{better}",
    "label-for-none": "'{label}' ({n:,}) never stands beside another label; if it says that a text has none: "
    'data.rename = {{ "{label}" = "" }}',
    "named-classes": "the numbers in '{column}' have {n:,} names in the data set itself, which are the labels: {names}",
    "own-parts": "the data set has parts of its own, which are kept: {named}",
    "table-as-read": "the table is read in {encoding}, with cells separated by {delimiter}",
    "unknown-label": "data.rename names '{name}', which no label is called; the labels: {labels}",
    "tiny-classes": "{n:,} classes have fewer than {least} examples: {names}",
    "imbalanced": "classes are imbalanced: '{largest}' has {times:.1f} times the examples of '{smallest}'; "
    'training.class_weights = "balanced" weighs them alike',
    "not-measured": "{n:,} classes have no example in the test split, so nothing can be measured of them: {names}",
    "copies-between-parts": "{n:,} examples are copies, exact or near, of examples of a later part of the data (train, "
    "validation, test): they are left out, and the later ones stay",
    "dealt-from-train": "the data have no part for {names}: it is taken from train",
    "mixed-sizes": "sizes differ, from {low} to {high} pixels (height x width); all are resized",
    "not-square": "{n:,} of {total:,} pictures are not square",
    "contradictory-texts": "contradictory labels: {n:,} texts have different labels and are left out of all splits, "
    "for example {example}",
    "alike-texts": "{n:,} groups of texts with different labels differ only in case, punctuation, signs or emoji; they "
    'are kept, for example {example}; if such signs mean nothing here: data.same = "letters"',
    "encoding": "the file is not UTF-8; it was recognized as {encoding} ({percent}% sure), for example {example}; if "
    'that reads wrong, say its encoding: data.encoding = "..."',
    "rows-left-out": "{n:,} rows are left out, for example {name}: {reason}",
    "copied-texts": "{n:,} of {total:,} examples ({percent:.1f}%) are the same as another one; one of each is kept",
    "near-texts": "{n:,} distinct texts are near copies of another; they are in one split together",
    "split-pretends": "an n-gram classifier is right on {honest} of the test texts; a random split with its copies "
    "would have pretended {random}",
    "split-agrees": "an n-gram classifier is right on {honest} of the test texts; a random split with its copies "
    "gives {random}",
    "suspects": "{n:,} of {total:,} labels look wrong to a classifier that did not see them, for example {example}; "
    "read them: none is left out",
    "no-labels": "there are no labels: from these texts words are learned (data.unlabeled), not classes",
    "no-times": "there are no times: nothing can be cut by time, and what is measured knows the future of others",
    "repeated-pairs": "{n:,} interactions repeat a pair of user and item; the last one counts",
    "contradictory-pairs": "{n:,} pairs are liked once and not another time; the last one counts",
    "few-users": "only {n:,} users like {likes} items or more: below {least} most differences are noise",
    "popular-items": "one item in a hundred has {percent:.0f}% of the likes: popularity will be hard to beat",
    "never-liked": "{n:,} items are liked by nobody; only what describes them can bring them up",
    "not-described": "nothing describes the items: what nobody met yet cannot be recommended",
    "protocol": "by {usual} about {few:,} users can be asked: {keys} asks about {n:,}, and auto takes it",
    "nobody-comes-back": "nobody likes two different items: what somebody chooses next cannot be measured",
    "no-user": "{n:,} rows have no user and are left out, such as row {row}{example}",
    "no-item": "{n:,} rows have no item and are left out, such as row {row}{example}",
    "no-weight": "{n:,} rows have a weight that is no finite number and are left out, such as row {row}{example}",
    "no-time": "{n:,} rows have a time that is neither a number nor a date and are left out, such as row "
    "{row}{example}",
    "spaces-user": "{n:,} rows have spaces around the user, which are taken off, such as row {row}{example}",
    "spaces-item": "{n:,} rows have spaces around the item, which are taken off, such as row {row}{example}",
    "float-ids": "ids in the column '{column}' are whole numbers written as {example}; they are taken as numbers",
    "alike-ids": "{n:,} ids in the column '{column}' differ only in case, zeros in front or their signs, such as "
    "'{one}' and '{other}'; they count as different",
    "bare-ids": "{n:,} ids in the column '{column}' have =\"\" around them, or signs that nobody sees: these are taken "
    "off, such as of {example}",
    "words-for-numbers": "{n:,} cells of the column '{column}' are no numbers and count as not known, such as row "
    "{row}: {example}",
    "heavy-user": "one user, {user}, has {percent:.0f}% of all interactions: if it stands for people who are not "
    'known, leave its rows out, data.na = ["{user}"]',
    "joined-items": "{n:,} of {total:,} items that people met ({percent:.0f}%) stand in the item table",
    "joined-users": "{n:,} of {total:,} users ({percent:.0f}%) stand in the table of users",
    "times-read": "times are read as {form}: {examples} (UTC)",
    "time-order": "times from {low:g} to {high:g} are no dates: they are taken as an order",
    "naive-times": "{n:,} rows say no time zone where others do; they are taken as UTC",
    "implausible-times": "{n:,} rows have a time before 1990 or after next year and are left out, such as row {row}: "
    "{example}",
    "repeated-rows": "{n:,} of {total:,} rows repeat user, item and time of another one; the last counts",
    "not-liked": "{n:,} interactions have a weight of 0 or less: they are seen, not liked",
    "ratings": "weights look like ratings from {low:g} to {high:g}, and all count as liked; data.positive says from "
    "which one on",
    "repeated-items": "{n:,} rows of the item table repeat an id or have none; the first counts",
    "repeated-users": "{n:,} rows of the table of users repeat an id or have none; the first counts",
}
_REASONS = {
    "pictures": "{n:,} pictures of {classes} classes, {least:,} to {most:,} each",
    "own-parts": "the folders train and test are parts, and stay as they are",
    "operators": "classical operators need no labels, and nothing is learned: this pipeline finds edges; change it",
    "few-shot": "classes of fewer than {few} are compared in what '{embedding}' has learned",
    "convnet": "a convolutional network learns from pictures, in color or gray, of any size",
    "few-shot-suits": "a class has only {least}: few_shot suits that, upon a model trained with model.embed = true",
    "texts": "{n:,} texts of {classes} classes, about {each:,} each",
    "text-column": "text in the column '{text}'",
    "text-columns": "text in the column '{text}', label in '{label}'",
    "without-label": "{n:,} rows have no label, or a word for it such as NA, and are left out; data.na = [] keeps such "
    "words as labels",
    "pretrained": "few labelled texts: an encoder that knows the language already, with a head that learns",
    "recurrent": "a recurrent network and n-grams learn any language from nothing, in a minute or two",
    "unlabelled": "the texts have no labels, so there are no classes to learn",
    "vectors": "a pretrained encoder turns texts into vectors: those that mean alike lie close",
    "interactions": "{n:,} interactions; columns: {columns}",
    "no-times": "there are no times: the test is users that the model does not know",
    "short-histories": "histories are short: the test is users that the model does not know, not what came last",
    "shortest-histories": "histories are very short: each user is asked for the last thing they chose, so that enough "
    "users can be asked",
    "times": "there are times: the test is what came last",
    "ratings": "weights look like ratings: {least} and more are liked, lower ones are only seen",
    "described": "items are described: both count",
    "met": "who met what counts",
}
_NEEDS = {
    "trouble": "{problem}",
    "trouble.mend": "the service goes on without it; look at its log",
    "lost": "{n:,} could not be kept since the service started",
    "lost.mend": "see that its disk is writable and not full; what is lost stays lost, until a restart it is shown",
    "version-not-opened": "it is served as it was: {problem}",
    "version-not-opened.mend": "{advice}",
    "run-failed": "{problem}",
    "run-failed.mend": "{advice}",
    "no-worker": "no worker of this machine takes runs",
    "no-worker.mend": "start one: glassworks worker",
    "disk-full": "{mib:,} MiB are free",
    "disk-full.mend": "free some space: {folder} grows with data, runs and models",
    "many-errors": "{errors:,} of {n:,} requests failed in the last minutes, most with {kind}",
    "many-errors.mend": "look at the log of errors; a rollback lets the version before answer",
    "shadow-differs": "as a shadow it differs in {differed:,} of {n:,} answers",
    "shadow-differs.mend": "compare both versions before it gets a share of the requests",
    "open-to-all": "everybody who reaches it may do everything: no keys are needed",
    "open-to-all.mend": "start it with --keys on, and create keys",
    "key-expires": "it ends on {when} UTC",
    "key-expires.mend": "create another one for whoever uses it, then revoke this one",
}
TEXTS: Mapping[str, str] = MappingProxyType(
    {
        f"{group}.{code}": text
        for group, texts in {"finding": _FINDINGS, "reason": _REASONS, "need": _NEEDS}.items()
        for code, text in texts.items()
    }
)
"""Every sentence that has a code: what is found in data, why a draft is as it is, and what the service needs."""
