"""What the small tokenizers of `gguf_tokenizers.py` learn from, and what they are tried on."""

CORPUS = """
It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in
want of a wife. However little known the feelings or views of such a man may be on his first entering a
neighbourhood, this truth is so well fixed in the minds of the surrounding families, that he's considered
the rightful property of some one or other of their daughters. They'll see; we've said it, I'm sure you'd
agree. DON'T SHOUT, IT'S RUDE! The quick brown Fox jumps over the lazy Dog, and the dog doesn't mind.
There are 7 days in a week, 24 hours in a day, 365 days in a year and 1000 years in a millennium: 2024,
1999, 3.14159, 2,718,281 and 0x1F. The model, the tokenizer, the training and the learning of the weights
are the things that matter here; the other things are not the things that the reader came for.
def function(value, other=None):
    for index in range(10):
        if value[index] != other:
            return {"index": index, 'value': value}  # a comment
    print(f"nothing {value}\\t\\n")
class Example(Base):
\tpublic static void main(String[] args) {
\t\tSystem.out.println("Hello, world!");
\t}
}
https://example.org/path/to/file.html?query=1&other=2#part <html><body><p class="text">paragraph</p></body></html>
Der schnelle braune Fuchs springt über den faulen Hund. Straße, Größe, Mädchen und Äpfel für alle Bürger.
Le cœur a ses raisons que la raison ne connaît point. L'été dernier, j'étais là-bas; ça m'a plu, n'est-ce pas?
El niño pequeño comió una manzana mañana. ¿Dónde está la biblioteca? ¡Qué día tan bonito!
Bugün hava çok güzel, dışarı çıkıp yürüyelim mi? İstanbul'da yaşıyor ve çalışıyorum.
Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему. Привет, как дела?
السلام عليكم ورحمة الله وبركاته. كيف حالك اليوم؟ اللغة العربية جميلة جدا والكتاب على الطاولة
สวัสดีครับ วันนี้อากาศดีมาก ภาษาไทยไม่มีช่องว่างระหว่างคำ ผู้ใหญ่กับเด็กที่บ้าน
你好,世界。今天天气怎么样?学而时习之,不亦说乎?有朋自远方来,不亦乐乎?中国人民的语言和文字。
こんにちは世界。日本語の文章はひらがなとカタカナと漢字でできています。ありがとうございます。
안녕하세요. 오늘 날씨가 좋습니다. 한국어는 재미있는 언어입니다.
नमस्ते दुनिया। आज मौसम बहुत अच्छा है। हिन्दी भाषा की लिपि देवनागरी है। मैं किताब पढ़ता हूँ।
שלום עולם. Καλημέρα κόσμε, τι κάνεις; Tiếng Việt có nhiều dấu thanh điệu.
🙂🙂 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇫🇷 ❤️ → ∑∫√ ≤≥ € £ ½ ² ™ — “quotes” ‘single’ …
"""

TEXTS = [
    "",
    "Hello, world!",
    "Hello",
    " leading and trailing ",
    "trailing spaces    ",
    "   leading spaces",
    "the the  the   the    the",
    "It's what we'll do; they've said I'm DON'T'd, IT'S, WE'LL, you'D, l'été, o'clock.",
    "camelCase PascalCase SCREAMING_CASE HTTPServer iPhone McDonald's NASA's",
    "Two  spaces,   three,\ttab\t\tand\n\n\nnewlines\r\n\r\n  \n mixed \t \n",
    " ",
    "  ",
    " " * 7,
    " " * 16,
    " " * 31,
    "a" + " " * 30 + "b",
    "\n",
    "\n\n",
    "\n \n\n  \n",
    "\t",
    "\t\t\tx",
    "\r",
    "x\r\ny\r\n",
    "a\u00a0b\u00a0\u00a0c \u00a0 d\u3000e\u2009f\u2028g\u0085h",
    "1 12 123 1234 12345 123456 1234567 3.14159 1,000,000 -42 0x1F 2024-01-31",
    "½ ² ٣ ४५ ๕ 五 Ⅷ ①②③",
    "12+34=46, (7*8)/2 = 28; a//b /* c */ <!-- d -->\n///\n",
    "def f(x):\n    return {x: [1, 2] for x in range(10)}  # é\n\n\tif x:\n\t\tpass\n",
    "https://example.org/a_b?c=d&e=%20#f <p class=\"text\">x</p>",
    "Çığ üşüyor; Straße, œuvre, naïve café, ǅungla ǈ",
    "cafe\u0301 and caf\u00e9, A\u030angstro\u0308m, \ufb01ne, \u212b",
    "Привет, как дела? ПРИВЕТ Привет",
    "你好,世界。今天天气怎么样?学而时习之",
    "こんにちは世界 カタカナ ﾊﾝｶｸ",
    "مرحبا بالعالم، السَّلَامُ عَلَيْكُمْ",
    "नमस्ते दुनिया। हिन्दी में क्षत्रिय",
    "สวัสดีครับ ภาษาไทยที่บ้านผู้ใหญ่",
    "안녕하세요 \u1112\u1161\u11ab\u1100\u1173\u11af",
    "שָׁלוֹם Tiếng Việt κόσμε",
    "🙂👩‍👩‍👧‍👦🏳️‍🌈 👍🏽 🇩🇪🇫🇷🇯🇵 ❤️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "zero\u200bwidth \u200djoin soft\u00adhyphen \ufeffbom \u202eright\u202c",
    "\x00\x01\x02\x1b[0m\x7f",
    "\U00010348 \U0001d4d0 \U000e0001 \uffff \ufffd",
    "▁ ▁▁ Ġ Ċ <0x0A> <0x41> \u0120the",
    "!!! ??? ... ,,, --- === ___ ~~~ ((())) [[]] {{}} \"'\"'`` @#$%^&*",
    # Syllables that compete for the letters between them.
    "therethinganderstheonthestintherestionarerantheressentandinonerisstenderathearingthatis",
    "onanandantantenesteresesisinghereherarethaterstrainingernessesseneditionsofinforoutofor",
    "аяаналинастомаетсталивсечастьяпохожинесчастливаяпонастоящемуделака",
    "สวัสดีวันนี้อากาศดีมากไม่มีคำที่บ้าน",
    "schnellerbraunerfaulenspringtmädchenundäpfelfüralledererichenstein",
    "])};):{}({[]('\"index\"')==!=+=->//--/**/",
    "unreachable unreachable's Unreachable",
    "a" * 50,
    # Longer than any token of spaces.
    " " * 40 + "if" + " " * 33 + "then",
    "<mask><unused0> <|file_sep|>",
    "-" * 37,
    "=" * 64,
]


def around(tokens):
    """Texts with special tokens in all kinds of company."""
    texts = ["".join(tokens), " ".join(tokens), " the ".join(["", *tokens, ""])]
    for token in tokens:
        texts += [f"{token}the", f"the{token}", f"{token}\n\nthe {token} \t\n the", token[:-1], f"x{token}{token}"]
    return texts
