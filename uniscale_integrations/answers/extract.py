"""From the text of a path to its answer."""

from __future__ import annotations

import re
from collections.abc import Collection

from uniscale_integrations.answers.labels import labels
from uniscale_integrations.answers.normal_form import parse_structure
from uniscale_integrations.answers.value import Value
from uniscale_integrations.answers.values import read_value

LONGEST_TAIL = 20_000
"""Characters at the end of a text in which its answer is looked for."""

LONGEST_BARE_ANSWER = 40
"""Characters up to which a last line without a number is taken for an answer."""

LONGEST_COUNT = 80
"""Characters up to which the last of several numbers in a last line is taken for one: longer lines only mention them."""

LONGEST_ANSWER = 2_000
"""Characters of what follows a label."""

_WIDE_DIGITS = {0xFEE0 + ord(sign): sign for sign in "0123456789.%"}
_DRAFT = re.compile(
    r"<(think|thinking|reasoning|thought|scratchpad)>|</(?:think|thinking|reasoning|thought|scratchpad)>|◁/?think▷", re.IGNORECASE
)
_BRACE = re.compile(r"(?P<box>\\f?boxed\s{0,9}\{)|\\.|[{}]")
_HASHES = re.compile(r"^[ \t]{0,9}####[ \t]{0,9}(?=\S)", re.MULTILINE)
_SENTENCE_END = re.compile(r"(?:(?<=[0-9)\]$*%}])|(?<=[^\W\d_]{3}))[.!](?=\s+[A-ZÄÖÜÀ-ÝА-Я*])|[。！]|(?<=[0-9)\]$*%}])[.!] (?=[a-z]{2})")
_EXPLAINED = re.compile(
    r"[,;]?\s(?:because|since|weil|denn|porque|ya que|puesto que|parce que|puisque|car|pois|perché|потому что|так как|поскольку)\b"
    r"|[,;]\s(?:as (?:it|the|this|we|that|he|she|they)|which|where|so that|not|and not|rather than|instead of|nicht|und nicht|no|pas|et non"
    r"|não|e não|а не|see|siehe|given that|meaning|i\.e\.)\b"
    r"|\s(?:rather than|instead of)\b|[，,、]?因为|[，,、]?(?:而)?不是|、?なぜなら|\s[-–—]{1,2}\s(?=[a-z])",
    re.IGNORECASE,
)
_CITED = re.compile(r"[ \t]?(?:\[[0-9]{1,3}(?:, ?[0-9]{1,3}){0,9}\](?!\()|【[0-9†: ]{1,20}】)")
_FENCE_OPENS = re.compile(r"```[^\n`]{0,40}\n")
_FENCE_CLOSES = re.compile(r"\n[ \t]{0,9}```")
_NUMBER = re.compile(
    # Chinese, Japanese and Korean write no blank before a number.
    r"(?<![^\W\u3400-\u9fff\u3040-\u30ff\uac00-\ud7a3])(?:(?<!\))[-\N{MINUS SIGN}])?"
    r"(?:(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)(?:/[0-9]+)?%?"
)
_REFERRED = re.compile(
    r"\b(?:page|p\.|pp\.|chapter|section|step|figure|fig\.|table|equation|line|item|note|question|problem|part|seite|schritt|kapitel|página|étape)"
    r" {0,3}#?[0-9][0-9.]*",
    re.IGNORECASE,
)
_ITEM = re.compile(r"[ \t]{0,9}(?:([0-9]{1,2})[.)]|[-*•]) {1,4}(\S.*)")
_OFFER = re.compile(
    r"(?:let me know|feel free|would you like|shall i|do you want|if you (?:need|want|have|would)|i hope|hope this|please let)",
    re.IGNORECASE,
)
_SOURCES = re.compile(r"[*_#\s]{0,9}(?:sources?|references?|quellen?|fuentes|note)[*_]{0,4}\s{0,4}:", re.IGNORECASE)
_STATED = re.compile(
    r"(?:(?:so|thus|therefore|hence|then)[, ] ?)?(?:(?:it|this|that|they) |(?:the|our) (?:\w+ ){1,6})"
    r"(?:is|was|are|were|equals|will be) (?P<it>\S.*)",
    re.IGNORECASE,
)
_CONCLUSION = re.compile(
    r"(?:(?:so|thus|therefore|hence|altogether|overall|finally|consequently|in (?:total|all|conclusion|short|other words)"
    r"|as a result|that is"
    r"|(?:this|that|which) (?:means|gives|leaves)|also|daher|somit|folglich|insgesamt|por (?:lo )?tanto|así que|en total|donc|ainsi"
    r"|au total|portanto|logo|em total|quindi|поэтому|итого|значит)[ ,:]{1,2}(?:that )?"
    r"|(?:所以|因此|总共|一共|したがって|よって|だから)[ ,:，、]{0,2})(\S.*)",
    re.IGNORECASE,
)
_COMES_TO = re.compile(r"=|\b(?:equals|is equal to|comes to|amounts to|adds up to)\b")
_MONTH = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
_DATE = re.compile(
    r"\b(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{1,2}\. ?[0-9]{1,2}\. ?[0-9]{4}"
    rf"|[0-9]{{1,2}}(?:st|nd|rd|th)? {_MONTH}\.?,? [0-9]{{4}}|{_MONTH}\.? [0-9]{{1,2}}(?:st|nd|rd|th)?,? [0-9]{{4}})\b",
    re.IGNORECASE,
)
_YES_NO = re.compile(r"(?:yes|no|ja|nein|sí|si|oui|non|sim|não|да|нет)(?=[,.;:!—–]| -)", re.IGNORECASE)
_CALL = re.compile(r"[A-Za-z_][\w.]{0,60}\([^()\n]{0,80}\)")
_SPELLED = re.compile(r"(?:[^\W\d_]+ ){1,5}`([^`\n]{1,80})`[.!]?")
_EMPHASIS = re.compile(r"(\*\*|__|`)([^*_`\n]{1,200})\1")


def extract_answer(text: str) -> str | None:
    r"""The answer that a text ends with.

    What a model has thought before (`<think>...</think>`, closed or not) is passed over. Then, in this order: the whole text where it is a
    JSON object or list; of the last `\boxed{...}` with balanced braces, the last line "#### x" and the last "Answer: x", "the answer is x"
    or its like in other languages, whichever comes last; fenced JSON, or code; in the last line that is no offer and no source, what an
    equation comes to, or the one date or number that it names; numbered lines as a list; the last line itself where it is short. Prose has
    no last number. Reasons, alternatives and citations behind an answer are left out.

    Args:
        text: the whole text of a path; of a long one the end is read.

    Returns:
        The answer as it was written, or `None` where there is none.

    Example:
        >>> extract_answer("3 + 4 = 7\n**Final answer:** 7 apples.")
        '7 apples'
        >>> extract_answer(r"so it is \boxed{\frac{1}{2}} in all")
        '\\frac{1}{2}'
        >>> extract_answer("That makes 1,234 or so") , extract_answer("Paris"), extract_answer("")
        ('1,234', 'Paris', None)
    """
    text = without_drafts(text)
    if (whole := _whole(text)) is not None:
        return whole
    text = text[-LONGEST_TAIL:]
    if not text.isascii():
        text = text.translate(_WIDE_DIGITS)
    return _marked(text) or _fenced(text) or _enumerated(text) or _last_line(text)


def without_drafts(text: str) -> str:
    """A text without what its model has thought before it answered.

    Example:
        >>> without_drafts("<think>3? No, 4.</think>4"), without_drafts("so 3...</think> 4"), without_drafts("<think>well")
        ('4', ' 4', '')
    """
    if "<" not in text and "◁" not in text:
        return text
    kept, place, depth = list[str](), 0, 0
    for mark in _DRAFT.finditer(text):
        opens = mark[1] is not None or mark[0] == "◁think▷"
        if opens:
            if depth == 0:
                kept.append(text[place : mark.start()])
            depth += 1
        elif depth:
            depth -= 1
            place = mark.end()
        else:
            # It began before this text does, as where a template has opened it.
            kept, place = [], mark.end()
    return "".join(kept) if depth else "".join((*kept, text[place:]))


def _whole(text: str) -> str | None:
    """The text where it is JSON; what its strings say is a part of the answer, not the answer."""
    whole = text.strip()
    return whole if whole[:1] in ("{", "[") and parse_structure(whole) is not None else None


def _marked(text: str) -> str | None:
    """What is boxed or labelled, whichever comes last."""
    boxed, labelled = _boxed(text), _labelled(text)
    if boxed is None or (labelled is not None and labelled[0] > boxed[0]):
        return None if labelled is None else labelled[1]
    return boxed[1]


def _boxed(text: str) -> tuple[int, str] | None:
    if "boxed" not in text:
        return None
    last, answer = -1, ""
    opened: list[int] = []
    for token in _BRACE.finditer(text):
        if token["box"]:
            opened.append(token.end())
        elif token[0] == "{":
            opened.append(-1)
        elif token[0] == "}" and opened:
            start = opened.pop()
            content = text[start : token.start()].strip() if start > last else ""
            if content:
                last, answer = start, content
    return (last, answer) if answer else None


def _labelled(text: str) -> tuple[int, str] | None:
    """The last answer that is announced, with where that begins."""
    hashes = [match.end() for match in _HASHES.finditer(text)] if "####" in text else []
    for place in reversed(labels(text)):
        answer = _after(text, place)
        if answer and not (hashes and hashes[-1] > place):
            return place, answer
        if answer and hashes:
            break
    for place in reversed(hashes):
        line = text[place : place + LONGEST_ANSWER].split("\n", 1)[0]
        label = next(iter(labels(line)), 0)
        if answer := _cleaned(line[label:]):
            return place, answer
    return None


def _after(text: str, place: int) -> str | None:
    """What stands behind a label: on its line, or on the next one that is not empty."""
    rest = text[place : place + LONGEST_ANSWER].lstrip()
    if not rest:
        return None
    if rest[0] in "{[" and parse_structure(text[place:].strip()) is not None:
        return text[place:].strip()
    if (opens := _FENCE_OPENS.match(rest)) and (closes := _FENCE_CLOSES.search(rest, opens.end())):
        return rest[: closes.end()]
    return _stated(rest.split("\n", 1)[0])


def _stated(line: str) -> str | None:
    """An answer without what follows it: another sentence, reasons, alternatives, citations."""
    line = _CITED.sub("", line).strip()
    ended = _SENTENCE_END.split(line, maxsplit=1)[0]
    explained = _EXPLAINED.search(ended)
    short = ended[: explained.start()] if explained and explained.start() > 0 else ended
    return _cleaned(short) or _cleaned(ended)


def _cleaned(answer: str) -> str | None:
    """Without emphasis, whole or torn, and without the full stop."""
    answer = _EMPHASIS.sub(r"\2", answer.strip().rstrip("."))
    for mark in ("**", "__"):
        answer = answer.strip().removeprefix(mark).removesuffix(mark)
    if answer.count("`") == 1:
        answer = answer.strip("`")
    return answer.strip().rstrip(".").strip() or None


def _fenced(text: str) -> str | None:
    """The last fenced block: of JSON what it holds, of anything else the block itself."""
    if "```" not in text:
        return None
    block = _last_block(text)
    if block is None:
        return None
    inner = block.split("\n", 1)[1].rsplit("```", 1)[0].strip()
    if not inner:
        return None
    return inner if parse_structure(inner) is not None else block


def _last_block(text: str) -> str | None:
    """The last block between fences, with them. Looking for the end of each from its beginning would be quadratic where none has one."""
    closings = _FENCE_CLOSES.finditer(text)
    closes, block, place = next(closings, None), None, 0
    for opens in _FENCE_OPENS.finditer(text):
        if opens.start() < place:
            continue
        while closes is not None and closes.start() < opens.end():
            closes = next(closings, None)
        if closes is None:
            break
        place = closes.end()
        block = text[opens.start() : place]
    return block


def _enumerated(text: str) -> str | None:
    """The items of numbered lines, where a text is nothing else."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    items = [_ITEM.fullmatch(line) for line in lines[:100]]
    if len(items) < 2 or not all(items) or len(lines) > 100:
        return None
    if [int(item[1] or 0) for item in items if item] not in (list(range(1, len(items) + 1)), [0] * len(items)):
        return None
    said = [_cleaned(item[2]) or "" for item in items if item]
    return "; ".join(said) if all(len(each) <= LONGEST_BARE_ANSWER for each in said) else None


def _last_line(text: str) -> str | None:
    line = _closing(text)
    if len(line) > LONGEST_COUNT and (concluded := _CONCLUSION.match(_SENTENCE_END.split(line)[-1].strip())):
        line = concluded[1]
    return _of_line(line) if line else None


def _of_line(line: str) -> str | None:
    if yes_no := _YES_NO.match(line):
        return yes_no[0]
    if len(line) <= LONGEST_COUNT and _of_a_kind(bare := _cleaned(line) or ""):
        return bare
    if _CALL.fullmatch(line):
        return line
    if spelled := _SPELLED.fullmatch(line):
        return spelled[1]
    dates = _DATE.findall(line)
    if len(dates) == 1:
        return str(dates[0])
    *before, result = _COMES_TO.split(line)
    if before and (numbers := _NUMBER.findall(result)):
        return str(numbers[0] if len(numbers) > 1 and len(line) > LONGEST_COUNT else numbers[-1])
    bare = _REFERRED.sub("", line)
    numbers = _NUMBER.findall(bare)
    if numbers:
        return str(numbers[-1]) if len(set(numbers)) == 1 or len(line) <= LONGEST_COUNT else None
    if len(line) > LONGEST_COUNT or not re.search(r"\w", line):
        return None
    stated = _STATED.fullmatch(line)
    if stated and len(stated["it"].split()) <= 5:
        return _stated(stated["it"])
    return _cleaned(line) if len(line) <= LONGEST_BARE_ANSWER else None


def _of_a_kind(line: str) -> bool:
    """Whether a line is an answer as a whole, and not about one."""
    value = read_value(line)
    if value.kind in ("list", "set") and isinstance(value.key, Collection):
        return not any(isinstance(item, Value) and item.kind == "text" for item in value.key)
    if value.kind == "expression":
        return _DEFINED.fullmatch(line) is not None
    return value.kind not in ("text", "json", "choice")


_DEFINED = re.compile(r"[^=]*|[a-zA-Z](?:\w|\([a-z]\))? ?= ?[^=]*")


def _closing(text: str) -> str:
    """The last line that says something of the matter: no source, no offer and no question back."""
    lines = [stripped for line in text.strip().splitlines()[-60:] if (stripped := line.strip())]
    sources = next((place for place in range(len(lines) - 1, 0, -1) if _SOURCES.match(lines[place])), None)
    lines = lines if sources is None else lines[:sources]
    while len(lines) > 1 and (lines[-1].endswith(("?", "？")) or _OFFER.match(lines[-1])):
        lines.pop()
    return _CITED.sub("", lines[-1]).strip() if lines else ""
