"""Questions about a dozen unlike matters, to see how well a collection seems to answer what is not in it.

Hardly any collection is about more than a few of them. Those in its own languages are asked, since an encoder finds a
passage in the language of the question a little better than one in another.
"""

from collections.abc import Iterable

QUESTIONS = {
    "ar": (
        "كم من الوقت يجب أن يُخبز الخبز في الفرن؟", "من فاز بكأس العالم لكرة القدم؟", "كيف أغيّر إطار الدراجة؟",
        "ما هي أعراض الحساسية من حبوب اللقاح؟", "لماذا السماء زرقاء؟", "كيف أعتني بقطة صغيرة؟",
        "متى تُدفع ضريبة الدخل؟", "كم وترًا للكمان؟", "كيف تتكوّن البراكين؟", "ما أفضل وقت لزراعة الطماطم؟",
        "كيف أستعيد كلمة مرور البريد؟", "كم تبلغ تكلفة رحلة بحرية؟",
    ),
    "de": (
        "Wie lange muss Brot im Ofen backen?", "Wer hat die Fußballweltmeisterschaft gewonnen?",
        "Wie wechsle ich einen Fahrradreifen?", "Woran erkenne ich Heuschnupfen?", "Warum ist der Himmel blau?",
        "Wie pflege ich eine junge Katze?", "Wann ist die Einkommensteuer fällig?", "Wie viele Saiten hat eine Geige?",
        "Wie entstehen Vulkane?", "Wann pflanzt man Tomaten?", "Wie setze ich mein E-Mail-Passwort zurück?",
        "Was kostet eine Kreuzfahrt?",
    ),
    "en": (
        "How long does bread have to bake in the oven?", "Who won the football world cup?",
        "How do I change a bicycle tyre?", "What are the symptoms of hay fever?", "Why is the sky blue?",
        "How do I care for a kitten?", "When is income tax due?", "How many strings does a violin have?",
        "How do volcanoes form?", "When should tomatoes be planted?", "How do I reset my email password?",
        "What does a cruise cost?",
    ),
    "es": (
        "¿Cuánto tiempo se hornea el pan?", "¿Quién ganó el mundial de fútbol?",
        "¿Cómo cambio la rueda de una bicicleta?", "¿Cuáles son los síntomas de la alergia al polen?",
        "¿Por qué el cielo es azul?", "¿Cómo se cuida a un gatito?", "¿Cuándo se paga el impuesto sobre la renta?",
        "¿Cuántas cuerdas tiene un violín?", "¿Cómo se forman los volcanes?", "¿Cuándo se plantan los tomates?",
        "¿Cómo recupero la contraseña del correo?", "¿Cuánto cuesta un crucero?",
    ),
    "fr": (
        "Combien de temps le pain doit-il cuire au four ?", "Qui a gagné la coupe du monde de football ?",
        "Comment changer un pneu de vélo ?", "Quels sont les symptômes du rhume des foins ?",
        "Pourquoi le ciel est-il bleu ?", "Comment s'occuper d'un chaton ?", "Quand paie-t-on l'impôt sur le revenu ?",
        "Combien de cordes a un violon ?", "Comment se forment les volcans ?", "Quand planter les tomates ?",
        "Comment réinitialiser le mot de passe de ma messagerie ?", "Combien coûte une croisière ?",
    ),
    "it": (
        "Per quanto tempo deve cuocere il pane?", "Chi ha vinto il mondiale di calcio?",
        "Come si cambia la gomma di una bicicletta?", "Quali sono i sintomi dell'allergia ai pollini?",
        "Perché il cielo è blu?", "Come si cura un gattino?", "Quando si pagano le imposte sul reddito?",
        "Quante corde ha un violino?", "Come si formano i vulcani?", "Quando si piantano i pomodori?",
        "Come recupero la password della posta?", "Quanto costa una crociera?",
    ),
    "ja": (
        "パンはオーブンで何分焼きますか。", "サッカーのワールドカップで優勝したのはどこですか。", "自転車のタイヤはどう交換しますか。",
        "花粉症の症状は何ですか。", "空はなぜ青いのですか。", "子猫の世話はどうすればよいですか。", "所得税はいつ納めますか。",
        "バイオリンの弦は何本ですか。", "火山はどのようにできますか。", "トマトはいつ植えますか。",
        "メールのパスワードを忘れたらどうしますか。", "クルーズ旅行はいくらかかりますか。",
    ),
    "ko": (
        "빵은 오븐에서 얼마나 구워야 하나요?", "축구 월드컵에서 어느 나라가 우승했나요?", "자전거 타이어는 어떻게 교체하나요?",
        "꽃가루 알레르기의 증상은 무엇인가요?", "하늘은 왜 파란가요?", "새끼 고양이는 어떻게 돌보나요?",
        "소득세는 언제 내나요?", "바이올린의 줄은 몇 개인가요?", "화산은 어떻게 만들어지나요?",
        "토마토는 언제 심나요?", "이메일 비밀번호는 어떻게 재설정하나요?", "유람선 여행은 얼마인가요?",
    ),
    "pt": (
        "Quanto tempo o pão deve assar no forno?", "Quem ganhou a copa do mundo de futebol?",
        "Como troco o pneu da bicicleta?", "Quais são os sintomas da alergia ao pólen?", "Por que o céu é azul?",
        "Como se cuida de um gatinho?", "Quando se paga o imposto de renda?", "Quantas cordas tem um violino?",
        "Como se formam os vulcões?", "Quando se plantam tomates?", "Como redefino a senha do e-mail?",
        "Quanto custa um cruzeiro?",
    ),
    "zh": (
        "面包要在烤箱里烤多久?", "谁赢得了足球世界杯?", "怎样更换自行车轮胎?", "花粉过敏有哪些症状?", "天空为什么是蓝色的?",
        "怎样照顾小猫?", "所得税什么时候缴纳?", "小提琴有几根弦?", "火山是怎样形成的?", "西红柿什么时候种?",
        "怎样重置邮箱密码?", "坐游轮旅行要多少钱?",
    ),
}  # fmt: skip


def questions_in(languages: Iterable[str]) -> list[str]:
    """Give the questions in these languages; where none is known, in English."""
    known = [language for language in sorted(set(languages)) if language in QUESTIONS]
    return [question for language in known or ["en"] for question in QUESTIONS[language]]
