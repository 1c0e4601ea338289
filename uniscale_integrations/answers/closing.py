"""The answer in the closing line of a text that announces none."""

from __future__ import annotations

import re
from collections.abc import Sequence

from uniscale_integrations.answers.echo import repetition
from uniscale_integrations.answers.formulae import join_displays, plain_formula, result_of, whole_formula
from uniscale_integrations.answers.mentioned import MAX_WORDS, in_words, measured, of_a_kind, values_in
from uniscale_integrations.answers.outstanding import outstanding
from uniscale_integrations.answers.question import about
from uniscale_integrations.answers.sentences import CITATION, NAME, REASON, SENTENCE_END, bare_statement, clean
from uniscale_integrations.answers.values import read_value

MAX_BARE_ANSWER_LENGTH = 40
"""Characters up to which a last line without a number is taken for an answer."""

MAX_COUNT_LENGTH = 80
"""Characters up to which a sentence is about what it counts; longer ones only mention numbers."""

MAX_LINE_LENGTH = 2_000
"""Characters at the end of a line that are looked at."""

MAX_LINES = 60
"""At the end of a text that are looked at."""

_OFFER = re.compile(
    r"(?:let me know|feel free|would you like|shall i|do you want|if you (?:need|want|have|would)|please let"
    r"|(?:i )?hope (?:this|that|it|you)|happy to help|good luck|cheers"
    r"|is there anything else|want me to|need (?:help|more|anything)|wenn du (?:willst|möchtest|magst)|falls du|soll ich"
    r"|möchten sie|se (?:quiser|precisar)|posso ajudar|si (?:quieres|necesitas|lo deseas)|¿quieres|si (?:vous|tu) (?:voulez|veux"
    r"|souhaitez|avez)|n'hésite"
    r"|souhaitez-vous|voulez-vous|если (?:хотите|хочешь|нужно)|хотите|如果(?:你|您)|需要我|もし|必要であれば|i'm here"
    r"|you're welcome|ich hoffe|j'espère|espero que|надеюсь|希望)"
    r"|[^\w$]+$",
    re.IGNORECASE,
)
_SOURCES = re.compile(r"[*_#\s]{0,9}(?:sources?|references?|quellen?|fuentes|note)[*_]{0,4}\s{0,4}:", re.IGNORECASE)
_CONCLUSION = re.compile(
    r"(?:(?:so|thus|therefore|hence|altogether|overall|finally|consequently|in (?:total|all|conclusion|short|other words)"
    r"|as a result|that is"
    r"|(?:this|that|which) (?:means|gives|leaves)|also|daher|somit|folglich|insgesamt|por (?:lo )?tanto|así que|en total|donc|ainsi"
    r"|au total|portanto|logo|em total|quindi|поэтому|итого|значит)[ ,:]{1,2}(?:that )?"
    r"|(?:所以|因此|总共|一共|したがって|よって|だから)[ ,:，、]{0,2})(\S.*)",
    re.IGNORECASE,
)
_COMES_TO = re.compile(r"=|\b(?:equals|is equal to|comes to|amounts to|adds up to)\b")
_YES_NO = re.compile(r"(?:yes|no|ja|nein|sí|si|oui|non|sim|não|да|нет)(?=[,.;:!—–]| [-—–])", re.IGNORECASE)
_CALL = re.compile(r"[A-Za-z_][\w.]{0,60}\([^()\n]{0,80}\)")
_REFERENCE = re.compile(
    r"\b(?:page|p\.|pp\.|chapter|section|step|figure|fig\.|table|equation|line|item|note|question|problem|part|seite|schritt|kapitel|página|étape)"
    r" {0,3}#?[0-9][0-9.]*",
    re.IGNORECASE,
)


def closing_answer(text: str, question: str = "") -> str | None:
    r"""The answer in the last line that says something of the matter; that of the first line where it is one as a whole.

    What stands out, in bold or as a formula, is taken before what does not; what an equation or "is" comes to, before what stands before
    it; and values as a whole: "12:35 PM", "$3.2 billion", "75 km/h", "192.168.1.10". Prose, which names several or none, has no answer.

    Args:
        text: of at most some ten thousand characters.
        question: what was asked, where it is known: numbers that are mentioned answer neither who nor whether.

    Example:
        >>> closing_answer("The flight costs **£120**, since it is late."), closing_answer("It arrives at 12:35 PM.")
        ('£120', '12:35 PM')
        >>> closing_answer("So $x = \\frac{4}{2} = 2$."), closing_answer("It has 40 rooms on 4 floors and was built in 1902.")
        ('x = 2', None)
    """
    lines = _lines(text)
    if not lines:
        return None
    hints = about(question)
    answer = _of_line(lines[-1], hints.names)
    if answer is None or (answer in question and re.search("[0-9]", answer)):
        # A remark, or one that repeats what was given.
        answer = _bold_value(text) or answer
    if answer is None and len(lines) > 1:
        answer = _answered_first(lines[0])
    if answer is None or in_words(read_value(answer, question)):
        # Prose, or a whole sentence: where it repeats the question, the rest of it is the answer.
        rest = repetition(text, hints)
        return rest if answer is None or (rest and len(rest) < len(answer)) else answer
    return answer


def _lines(text: str) -> list[str]:
    """The lines of a text without sources, offers, questions back, checks and rules behind the last one that matters."""
    lines = [
        content[-MAX_LINE_LENGTH:] for line in join_displays(text.strip().splitlines()[-MAX_LINES:]) if (content := line.strip())
    ]
    sources = next((place for place in range(len(lines) - 1, 0, -1) if _SOURCES.match(lines[place])), None)
    lines = lines if sources is None else lines[:sources]
    asks = ("?", "\N{FULLWIDTH QUESTION MARK}")
    while len(lines) > 1 and (lines[-1].endswith(asks) or _OFFER.match(lines[-1]) or _ASIDE.match(lines[-1])):
        lines.pop()
    return (
        [CITATION.sub("", line).strip() for line in (lines[0], lines[-1])]
        if len(lines) > 1
        else [CITATION.sub("", each) for each in lines]
    )


_ASIDE = re.compile(
    r"[*_(]{0,3}(?:check|verification|verify|proof|probe|hinweis|kontrolle|comprobación|vérification"
    r"|verificação|nota|проверка|验证|验算|検算)\b[^\n:]{0,20}[:\N{FULLWIDTH COLON}]"
    r"|[-*_=|\s]+$|\[\^?\w{1,20}\]:"
    r"|[*_(>\s]{0,4}(?:word count|sources?|references?|disclaimer|disclosure|caveat|confidence|tl;?dr|note|the end|end of)\b"
    r"|(?:best|kind|warm)? ?regards\b|sincerely\b|yours\b|assistant$",
    re.IGNORECASE,
)
_CHOICE = re.compile(
    r"(?:so |thus |therefore,? )?(?:the )?(?:option|choice|answer|statement) [*(]{0,3}([A-J])[)*]{0,3} is (?:the )?(?:only )?"
    r"(?:correct|right|best|true)(?: (?:one|answer|option|choice|statement))?\.?",
    re.IGNORECASE,
)


def _bold_value(text: str) -> str | None:
    """The one value in bold, where a text has one."""
    values = {
        answer for line in text.splitlines()[-MAX_LINES:] if "**" in line and (answer := outstanding(line[-MAX_LINE_LENGTH:]))
    }
    answer = values.pop() if len(values) == 1 else ""
    return answer if answer and of_a_kind(answer) else None


def _answered_first(line: str) -> str | None:
    """A first line that is an answer as a whole, which what follows explains."""
    bare = clean(line)
    if bare is None or len(line) > MAX_COUNT_LENGTH:
        return None
    value = read_value(bare)
    return (
        bare
        if value.kind in ("choice", "yes or no", "truth", "date", "time") or (value.kind == "number" and measured(value))
        else None
    )


def _of_line(line: str, names: bool) -> str | None:
    if yes_no := _YES_NO.match(line):
        return yes_no[0]
    if choice := _CHOICE.fullmatch(line):
        return choice[1].upper()
    bare = clean(line)
    if bare is None or not re.search(r"[\w∞∅]", bare):
        return None
    if formula := whole_formula(line):
        return result_of(formula)
    if (answer := outstanding(line)) is not None:
        return _of_statement(answer)
    if len(line) <= MAX_COUNT_LENGTH and not _TELLS.match(bare) and of_a_kind(bare):
        return bare
    if len(line) <= MAX_COUNT_LENGTH and (subject := _SUBJECT.fullmatch(bare) or NAME.fullmatch(bare)):
        it = _PREPOSITION.sub("", subject[1].strip())
        if of_a_kind(it):
            return it
    if _CALL.fullmatch(line):
        return line
    sentences = [each.strip() for each in SENTENCE_END.split(line) if each and each.strip()]
    while len(sentences) > 1 and _OFFER.match(sentences[-1]):
        sentences.pop()
    *earlier, sentence = sentences
    if conclusion := _CONCLUSION.match(sentence):
        earlier, sentence = [], conclusion[1]
    if _HENCE.search(sentence):
        earlier = []
    answer = of_sentence(sentence, [line, *earlier] if earlier and len(line) > MAX_COUNT_LENGTH else earlier, names=names)
    choice = _CHOICE_FIRST.match(line) if answer is None else None
    return choice[1] if choice else answer


def _of_statement(statement: str) -> str:
    """What a whole sentence in bold says, where it names one value; anything else as it is."""
    if len(statement.split()) < 3 or of_a_kind(statement) or not _IS.search(statement) or not re.search("[0-9]", statement):
        return statement
    return of_sentence(statement) or statement


def of_sentence(sentence: str, earlier: Sequence[str] = (), *, names: bool = False) -> str | None:
    """The answer in a sentence in which nothing stands out."""
    if complexity := _COMPLEXITY.findall(sentence):
        return str(complexity[-1])
    if formula := plain_formula(_PARENTHESIS.sub("", sentence)):
        return result_of(formula)
    core = _HENCE.split(_without_asides(sentence))[-1]
    values = [] if names else list(values_in(core))
    *before, after = _COMES_TO.split(core)
    if before and (results := list(values_in(after))):
        return results[0].text if len(results) == 1 or len(sentence) > MAX_COUNT_LENGTH else results[-1].text
    if values:
        if earlier:
            clause = core.rsplit(", ", 1)[-1]
            counts = [each for each in values_in(clause) if not _YEAR.search(clause[: clause.find(each.text) + len(each.text)])]
            return counts[0].text if len(counts) == 1 and len(clause.split()) <= MAX_WORDS + 2 else None
        different = {(value.value.kind, value.value.unit, value.value.key) for value in values}
        if len(different) == 1:
            return values[-1].text
        *before, after = (_IS if len(different) == 2 else _IS_NOW).split(core)
        if before and len(sentence) <= MAX_COUNT_LENGTH and (results := list(values_in(after))):
            return results[0].text
        return values[-1].text if len(different) == 2 and len(sentence) <= MAX_COUNT_LENGTH else None
    if len(sentence) > MAX_COUNT_LENGTH or earlier or (not names and re.search(r"(?<![A-Za-z])[0-9]", core)):
        return None
    subject = _SUBJECT.fullmatch(core)
    if subject and len(subject[1].split()) < MAX_WORDS:
        return bare_statement(subject[1])
    return clean(core) if len(core) <= MAX_BARE_ANSWER_LENGTH else None


_YEAR = re.compile(r"\b(?:in|since|by|until) [12][0-9]{3}$", re.IGNORECASE)
_TELLS = re.compile(r"(?:[^\W\d_]{2,},? ){3}[^=]*=")
"""A sentence before an equation, which is not the equation's name."""

_CHOICE_FIRST = re.compile(r"\*{0,2}\(?([A-H])[).]\*{0,2}\s+\S")
_COMPLEXITY = re.compile(r"\bO\([^()]{1,30}(?:\([^()]{1,20}\))?[^()]{0,10}\)")
_HENCE = re.compile(r",? (?:so|thus|hence|therefore|also|donc|por lo que) (?=[^,]*[0-9])")
_SUBJECT = re.compile(
    r"(?:(?:so|thus|therefore|hence|then)[, ] ?)?(?:(?:it|this|that|they) |(?:the|our|its) (?:[^\W\d_]+ ){1,6})"
    r"(?:is|are|was|were|equals|will be)(?: therefore| thus| now| then)? (\S.*)",
    re.IGNORECASE,
)
_PREPOSITION = re.compile(r"^(?:on|in|at|by|about|approximately|exactly) (?=\S*[0-9])")
_IS = re.compile(
    r"\b(?:is|are|was|were|gives|makes|leaves|needs?|gets?|costs?|has|have|ist"
    r"|beträgt|betragen|kostet|cuesta|coûte|custa|sind|es|son|est|sont|é|são)\b",
    re.IGNORECASE,
)
_IS_NOW = re.compile(r"\b(?:is|are|gives|makes|leaves|ist|sind|es|son|est|sont|é|são)\b", re.IGNORECASE)
_MENTION = re.compile(
    r",? as (?:was|is|were|are|has been|have been) (?:\w+ ){0,2}\w+ (?:in|by|at|on|since) [^,]{1,40}$", re.IGNORECASE
)
_PARENTHESIS = re.compile(r"(?<![=∈:]) \([^()]{1,120}\)")


def _without_asides(sentence: str) -> str:
    """A sentence without parentheses, references and reasons."""
    statement = _MENTION.sub("", _REFERENCE.sub("", _PARENTHESIS.sub("", sentence)))
    reason = REASON.search(statement)
    return statement[: reason.start()] if reason and re.search("[0-9]", statement[: reason.start()]) else statement
