"""A few paragraphs in the languages and forms in which models are asked, none of which the estimate was fitted to."""

from __future__ import annotations

import json

CODE = '''
def merge_intervals(intervals: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Merge all intervals that overlap."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


class RateLimiter:
    def __init__(self, max_requests: int, per_seconds: float) -> None:
        self.max_requests = max_requests
        self.per_seconds = per_seconds
        self._times = deque()

    def allow(self, now: float) -> bool:
        while self._times and now - self._times[0] > self.per_seconds:
            self._times.popleft()
        if len(self._times) < self.max_requests:
            self._times.append(now)
            return True
        return False
'''

ORDERS = json.dumps(
    [
        {"id": 81231, "customer": {"name": "Ada Green", "email": "ada@example.com"}, "items": [{"sku": "AB-100", "quantity": 2}],
         "total": 149.9, "currency": "EUR", "created_at": "2025-03-14T09:26:53Z", "paid": True, "notes": None},
        {"id": 81232, "customer": {"name": "Ben Hill", "email": "ben@example.com"}, "items": [{"sku": "ZX-7", "quantity": 10}],
         "total": 12.5, "currency": "USD", "created_at": "2025-03-15T18:02:11Z", "paid": False, "notes": "call before delivery"},
    ],
    indent=2,
)  # fmt: skip

SAMPLES = {
    "English": (
        "Our customer wrote that the parcel arrived two days late and that one of the cups was broken. She would like to keep the rest "
        "of the order, but asks whether she can have her money back for the broken one. Please write a short and friendly answer, offer "
        "a refund or a new cup, and tell her that she does not need to send anything back to us. If she has ordered before, thank her."
    ),
    "code": CODE,
    "JSON": ORDERS,
    "German": (
        "Die Kundin schreibt, dass das Paket zwei Tage zu spät angekommen ist und eine der Tassen zerbrochen war. Den Rest der Bestellung "
        "möchte sie behalten, fragt aber, ob sie für die beschädigte Tasse ihr Geld zurückbekommen kann. Bitte verfasse eine kurze, "
        "freundliche Antwort, biete eine Rückerstattung oder kostenlose Ersatzlieferung an, und erkläre, dass nichts zurückgeschickt "
        "werden muss."
    ),
    "French": (
        "La cliente écrit que le colis est arrivé avec deux jours de retard et qu'une des tasses était cassée. Elle souhaite garder le "
        "reste de la commande, mais demande si elle peut être remboursée pour celle qui est abîmée. Rédige une réponse courte et aimable, "
        "propose un remboursement ou une nouvelle tasse, et précise qu'elle n'a rien à nous renvoyer."
    ),
    "Russian": (
        "Покупательница пишет, что посылка пришла на два дня позже и одна из чашек оказалась разбитой. Остальную часть заказа она хочет "
        "оставить, но спрашивает, можно ли вернуть деньги за повреждённую чашку. Напиши короткий и вежливый ответ, предложи возврат денег "
        "или новую чашку и объясни, что отправлять обратно ничего не нужно."
    ),
    "Arabic": (
        "كتبت الزبونة أن الطرد وصل متأخرا يومين وأن أحد الأكواب كان مكسورا. تريد أن تحتفظ ببقية الطلب، "
        "لكنها تسأل إن كان بإمكانها استرداد ثمن الكوب المكسور. اكتب ردا قصيرا ولطيفا، واعرض عليها "
        "إعادة المبلغ أو كوبا جديدا، وأخبرها أنها لا تحتاج إلى إرجاع أي شيء إلينا."
    ),
    "Chinese": (
        "顾客写信说包裹晚到了两天,而且其中一个杯子碎了。她想保留其余的商品,但是问我们能不能退还那个破损杯子的钱。请写一封简短而友好的回信,"
        "提出退款或者重新寄一个新的杯子,并告诉她不需要把任何东西寄回来。如果她以前在我们这里买过东西,请向她表示感谢。"
    ),
    "Japanese": (
        "お客様から、荷物の到着が二日遅れ、カップの一つが割れていたという連絡がありました。残りの商品はそのまま受け取りたいそうですが、"
        "割れたカップの代金を返してもらえるかどうかを尋ねています。短くて丁寧な返事を書き、返金または新しいカップの発送を提案して、"
        "何も送り返す必要がないことを伝えてください。"
    ),
    "Korean": (
        "고객이 소포가 이틀 늦게 도착했고 컵 하나가 깨져 있었다고 알려 왔습니다. 나머지 주문은 그대로 받고 싶지만 "
        "깨진 컵의 값을 환불받을 수 있는지 묻고 있습니다. 짧고 친절한 답장을 써서 환불이나 새 컵을 제안하고, "
        "아무것도 돌려보낼 필요가 없다고 설명해 주세요."
    ),
    "emoji": "Thanks 🎉🎉 see you there 😀👍 🚀🔥 ❤️ 🙏🙏 🌍✨ 😂😂😂 🎯 📈 🤔 👏👏 💪⭐ 🐍 🍕🍕 ☀️ 🏖️ 🎶💃",
}
