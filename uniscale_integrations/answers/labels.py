"""What announces an answer, in several languages."""

from __future__ import annotations

import re

_IS = r"(?:is|are|was|would be|should be|must be|ist|lautet|sind|es|son|é|são|est|sont|è|sono)\b[ \t]{0,9}:?|[:：]"
_NAME = re.compile(
    "answer|choice|option|antwort|lösung|ergebnis|respuesta|resposta|réponse|risposta|choose|pick|select|go with|result|solution|résultat"
    "|gabarito|letra|lettre|letter|buchstabe|вариант|результат|结果|ответ|答案|选项|选择|答え|정답"
)
"""What labels name, in small letters. Most of a text names nothing, which is told sooner than that it holds no label."""

_LABEL = re.compile(
    r"\b(?:answers?|antwort|lösung|ergebnis|respuesta(?: final| correcta)?|resposta(?: final| correta)?|réponse(?: finale| correcte)?"
    rf"|risposta(?: finale| corretta)?|choice|option)\b[*_`]{{0,4}}[ \t]{{0,9}}(?:{_IS})[*_`]{{0,4}}"
    r"|(?:choose|pick|select|go with) (?=[(*]{0,3}[a-z]\b)"
    r"|(?:result|solution|resultado|résultat|resultat|результат|结果)[*_`]{0,4}[ \t]{0,9}[:：][*_`]{0,4}"
    r"|\bgabarito[*_`]{0,4}[ \t]{0,9}:[*_`]{0,4}"
    r"|\b(?:letra|lettre|letter|buchstabe|вариант)[ \t](?=[*(]{0,3}[a-h][)*.]{0,4}(?:\W|$))"
    r"|(?:正确)?选项[*_`]{0,4}[ \t]{0,9}(?:应该)?(?:[是为為]|[:：])[*_`]{0,4}[ \t]{0,9}(?=[*(（]{0,3}[a-h]\b)"
    r"|选择?[ \t]{0,9}(?=[*(（]{0,3}[a-h][)）*。.]{0,4}(?:\s|$))"
    r"|\bответ[*_`]{0,4}[ \t]{0,9}(?:[:：]|[-–—] |это\b)[*_`]{0,4}"
    r"|答案[*_`]{0,4}[ \t]{0,9}(?:应该)?(?:[是为為]|[:：])[:：]?[*_`]{0,4}"
    r"|答え[*_`]{0,4}[ \t]{0,9}(?:は|[:：])[、,]?[*_`]{0,4}|정답[*_`]{0,4}[ \t]{0,9}(?:은|[:：])[*_`]{0,4}"
)
"""A label from its name on."""

_BEGINS_LINE = r"(?:^|\n)[ \t]{0,9}[*_#]{0,4}[ \t]{0,4}(?:final )?$"
_BEFORE = {
    name: re.compile(before)
    for names, before in (
        (("choice", "option"), r"\b(?:correct|best|right) $"),
        (("choose", "pick", "select", "go with"), r"\bi(?:'d| would| will)? $"),
        (("result", "solution", "résultat", "результат", "结果"), _BEGINS_LINE),
    )
    for name in names
}
"""What must stand before a name for it to be a label."""

_HEADING = re.compile(r"answer[ \t]{0,4}[*_:]{0,4}[ \t]{0,9}(?=\n)")
_BEFORE_HEADING = re.compile(r"(?:^|\n)[ \t]{0,9}[*_#]{1,6}[ \t]{0,4}(?:final )?$")

MAX_PREFIX_LENGTH = 40
"""Characters of a label that stand before its name."""


def labels(text: str) -> list[int]:
    """Where the labels of a text end, in order: behind "Answer:", "the answer is" and their like in other languages.

    >>> labels("The answer is 7. Antwort: 8"), labels("no answer to that")
    ([14, 25], [])
    """
    small = text.lower()
    if len(small) != len(text):
        # A few capital letters have small forms of two.
        small = "".join(each.lower() if len(each.lower()) == 1 else each for each in text)
    ends: list[int] = []
    for name in _NAME.finditer(small):
        start = name.start()
        for label, before in ((_LABEL, _BEFORE.get(name[0])), (_HEADING, _BEFORE_HEADING)):
            match = label.match(small, start)
            if match and (before is None or before.search(small[max(0, start - MAX_PREFIX_LENGTH) : start])):
                ends.append(match.end())
                break
    return ends
