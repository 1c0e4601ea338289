"""From the text of a path to its answer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from uniscale_integrations.answers.closing import MAX_BARE_ANSWER_LENGTH, closing_answer, of_sentence
from uniscale_integrations.answers.labels import labels
from uniscale_integrations.answers.normal_form import MAX_STRUCTURE_LENGTH, parse_structure
from uniscale_integrations.answers.question import about
from uniscale_integrations.answers.sentences import bare_statement, clean
from uniscale_integrations.answers.values import ITEM, read_value

MAX_MARKED_LENGTH = 100_000
"""Characters at the end of a text in which an answer is looked for that is boxed or announced."""

MAX_TAIL_LENGTH = 20_000
"""Characters at the end of a text in which any other answer is looked for."""

MAX_LINES = 100
"""Of a list."""

MAX_GAP_LENGTH = 60
"""Characters between two boxes that hold one answer together."""

MAX_FENCES = 60
"""Before and behind blocks, the last ones."""

MAX_ANSWER_LENGTH = 2_000
"""Characters of what follows a label."""

_WIDE_DIGITS = {0xFEE0 + ord(sign): sign for sign in "0123456789.%"}
_DRAFT = re.compile(
    r"<(think|thinking|reasoning|thought|scratchpad)>|</(?:think|thinking|reasoning|thought|scratchpad)>|◁/?think▷", re.IGNORECASE
)
_BRACE = re.compile(r"(?P<box>\\(?:f?boxed|fbox)\s{0,9}\{)|\\.|[{}]")
_ALSO = re.compile(
    r"(?:\s|[$,;]|\\[\[\](),;: ]|\\q?quad|\\text\{[\s,]{0,3}(?:and|or)\s{0,3}\}|and|or|\\?[a-zA-Z](?:_\{?\w\}?)?\s?=)+"
)
_HASHES = re.compile(r"^[ \t]{0,9}####[ \t]{0,9}(?=\S)", re.MULTILINE)
_SENTENCE = re.compile(
    r"(?:there (?:are|is|were|will)|(?:she|he|it|they|we|you|i|sie|er|es|man|il|elle|on|c'est|hay|quedan|restam|há) \w+"
    r"|(?:the|le|la|les|der|die|das|el|los) (?:[^\W\d_]+ ){1,6}(?:is|are|was|were|has|have|est|sont|ist|sind|hat|son|é|são))\b"
    r"(?=[^\n]*[0-9])",
    re.IGNORECASE,
)
_FENCE_OPENS = re.compile(r"```[^\n`]{0,40}\n")
_TERM = re.compile(r"`([^`\n]{1,60})`")
_VERDICT = re.compile(r"\[\[([a-j]|-?[0-9]{1,4}(?:\.[0-9]{1,3})?|tie|yes|no|true|false)\]\](?!\()", re.IGNORECASE)
_HENCE = re.compile(
    r"[*_]{0,2}(?:therefore|thus|hence|then|so|donc|alors|also|daher|somit|folglich|por (?:lo )?tanto|entonces|portanto|então|logo"
    r"|quindi|dunque"
    r"|поэтому|итак)[*_]{0,2}[ ,:]{1,2}",
    re.IGNORECASE,
)
_FENCE_CLOSES = re.compile(r"\n[ \t]{0,9}```")


def extract_answer(text: str, question: str = "") -> str | None:
    r"""The answer that a text ends with.

    What a model has thought before (`<think>...</think>`, closed or not) is passed over. Then, in this order: the whole text where it is a
    JSON object or list; of the last `\boxed{...}` with balanced braces, the last line "#### x" and the last "Answer: x", "the answer is x"
    or its like in other languages, whichever comes last; fenced JSON, or code; in the last line that is no offer and no source, what an
    equation comes to, or the one date or number that it names; numbered lines as a list; the last line itself where it is short. Prose has
    no last number. Reasons, alternatives and citations behind an answer are left out.

    Args:
        text: the whole text of a path; of a long one the end is read.
        question: what was asked, where it is known. It matters only for answers that nothing announces.

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
    text = text[-MAX_MARKED_LENGTH:]
    if not text.isascii():
        text = text.translate(_WIDE_DIGITS)
    if mark := _final_mark(text):
        return mark
    text = text[-MAX_TAIL_LENGTH:]
    return _term(text, question) or _in_fence(text) or _enumeration(text) or closing_answer(text, question)


def without_drafts(text: str) -> str:
    """A text without what its model has thought before it answered.

    Example:
        >>> without_drafts("<think>3? No, 4.</think>4"), without_drafts("so 3...</think> 4"), without_drafts("<think>well")
        ('4', ' 4', '')
    """
    if "<" not in text and "◁" not in text:
        return text
    parts, place, depth = list[str](), 0, 0
    for mark in _DRAFT.finditer(text):
        opens = mark[1] is not None or mark[0] == "◁think▷"
        if opens:
            if depth == 0:
                parts.append(text[place : mark.start()])
            depth += 1
        elif depth:
            depth -= 1
            place = mark.end()
        else:
            # It began before this text does, as where a template has opened it.
            parts, place = [], mark.end()
    return "".join(parts) if depth else "".join((*parts, text[place:]))


def _whole(text: str) -> str | None:
    """The text where it is JSON; what its strings say is a part of the answer, not the answer."""
    whole = text.strip()
    if whole[:1] + whole[-1:] not in ("{}", "[]"):
        return None
    return whole if len(whole) > MAX_STRUCTURE_LENGTH or parse_structure(whole) is not None else None


def _final_mark(text: str) -> str | None:
    """What is boxed or labelled, whichever comes last."""
    box, label = _in_box(text), _behind_label(text)
    if box is None or (label is not None and label[0] > box[0]):
        return None if label is None else label[1]
    return box[1]


def _in_box(text: str) -> tuple[int, str] | None:
    """The last of what is boxed, in LaTeX or as judges give a verdict, "[[A]]"."""
    last, answer = -1, ""
    if "[[" in text:
        for verdict in _VERDICT.finditer(text):
            last, answer = verdict.start(), verdict[1]
    if "boxed" not in text and "fbox" not in text:
        return (last, answer) if answer else None
    starts: list[int] = []
    ended = -1
    for token in _BRACE.finditer(text):
        if token["box"]:
            starts.append(token.end())
        elif token[0] == "{":
            starts.append(-1)
        elif token[0] == "}" and starts:
            start = starts.pop()
            content = text[start : token.start()].strip() if start > last else ""
            if content:
                box = text.rfind("\\", 0, start)
                several = 0 <= ended <= box <= ended + MAX_GAP_LENGTH and _ALSO.fullmatch(text, ended, box)
                last, answer, ended = start, f"{answer} or {content}" if several else content, token.end()
    return (last, answer) if answer else None


def _behind_label(text: str) -> tuple[int, str] | None:
    """The last answer that is announced, with where that begins."""
    hashes = [match.end() for match in _HASHES.finditer(text)] if "####" in text else []
    for place in reversed(labels(text)):
        answer = _after(text, place)
        if answer and not (hashes and hashes[-1] > place):
            return place, answer
        if answer and hashes:
            break
    for place in reversed(hashes):
        line = text[place : place + MAX_ANSWER_LENGTH].split("\n", 1)[0]
        label = next(iter(labels(line)), 0)
        if answer := clean(line[label:]):
            return place, answer
    return None


def _after(text: str, place: int) -> str | None:
    """What stands behind a label: on its line, or on the next one that is not empty."""
    rest = text[place : place + MAX_ANSWER_LENGTH].lstrip()
    if hence := _HENCE.match(rest):
        rest = rest[hence.end() :].lstrip()
    if not rest:
        return None
    if rest[0] in "{[" and parse_structure(text[place:].strip()) is not None:
        return text[place:].strip()
    if (opens := _FENCE_OPENS.match(rest)) and (closes := _FENCE_CLOSES.search(rest, opens.end())):
        return rest[: closes.end()]
    answer = bare_statement(rest.split("\n", 1)[0])
    if answer and _SENTENCE.match(answer) and read_value(answer).kind == "text":
        return of_sentence(answer) or answer
    return answer


def _term(text: str, question: str) -> str | None:
    """The one term in code before a fenced block that shows its use, where the question asks for a term."""
    if "```" not in text or not about(question).term:
        return None
    terms = set(_TERM.findall(text[: text.index("```")]))
    return str(terms.pop()) if len(terms) == 1 else None


def _in_fence(text: str) -> str | None:
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
    begin = len(text)
    for _ in range(MAX_FENCES):
        if (fence := text.rfind("```", 0, begin)) < 0:
            break
        begin = fence
    text = text[max(begin - 1, 0) :]
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


def _enumeration(text: str) -> str | None:
    """The items of numbered lines or of bullets, where a text is nothing else but what announces them and a remark behind them."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    items = [ITEM.fullmatch(line) for line in lines[:MAX_LINES]]
    begins = next((place for place, item in enumerate(items) if item), len(items))
    entries = [item for item in items[begins:] if item]
    behind = lines[begins + len(entries) :]
    if (
        len(entries) < 2
        or begins > 1
        or not all(items[begins : begins + len(entries)])
        or len(behind) > 1
        or not _remarks(behind)
    ):
        return None
    if [int(item[1] or 0) for item in entries] not in (list(range(1, len(entries) + 1)), [0] * len(entries)):
        return None
    short = all(len(clean(item[2]) or "") <= MAX_BARE_ANSWER_LENGTH for item in entries)
    return "\n".join(line.strip() for line in lines[begins : begins + len(entries)]) if short else None


def _remarks(lines: Sequence[str]) -> bool:
    """Whether lines say nothing that could be the answer: no number, nothing in bold and no formula."""
    return not any(re.search(r"[0-9*$`=]", line) for line in lines)
