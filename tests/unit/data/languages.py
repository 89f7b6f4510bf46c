"""Sentences of many languages as people write them, and the encodings that their programs saved them in."""

from __future__ import annotations

SENTENCES = {
    "zh-TW": (
        "昨天送到的椅子顏色很好看，孩子們也喜歡。",
        "餐廳的服務太慢，等了兩個鐘頭還沒有上菜。",
        "包裝破了，裡面的燈也壞了",
    ),
    "zh-CN": (
        "昨天送到的椅子颜色很好看，孩子们也喜欢。",
        "餐厅的服务太慢，等了两个钟头还没有上菜。",
        "包装破了，里面的灯也坏了",
    ),
    "ja": (
        "昨日届いた椅子は色がとてもきれいです。",
        "店員の対応が遅くて、二時間も待ちました。",
        "箱が壊れていて、ランプもつきません",
    ),
    "ko": (
        "어제 도착한 의자는 색이 아주 예쁩니다.",
        "식당 서비스가 너무 느려서 두 시간을 기다렸어요.",
        "상자가 찢어지고 전등도 망가졌습니다",
    ),
    "ru": (
        "Вчера привезли стул, цвет очень красивый.",
        "Обслуживание медленное, ждали два часа.",
        "Коробка порвана, и лампа разбита",
    ),
    "uk": (
        "Учора привезли стілець, колір дуже гарний.",
        "Обслуговування повільне, чекали дві години.",
        "Коробка порвана",
    ),
    "el": (
        "Η καρέκλα έφτασε χθες και το χρώμα είναι ωραίο.",
        "Η εξυπηρέτηση ήταν αργή, περιμέναμε δύο ώρες.",
        "Το κουτί ήταν σκισμένο",
    ),
    "he": ("הכיסא הגיע אתמול והצבע יפה מאוד.", "השירות היה איטי וחיכינו שעתיים.", "הקופסה הייתה קרועה והמנורה שבורה"),
    "ar": ("وصل الكرسي أمس ولونه جميل جدا.", "كانت الخدمة بطيئة وانتظرنا ساعتين.", "الصندوق ممزق والمصباح مكسور"),
    "th": ("เก้าอี้มาถึงเมื่อวานนี้ สีสวยมาก", "บริการช้ามาก รอสองชั่วโมง", "กล่องขาดและโคมไฟก็แตก"),
    "tr": (
        "Sandalye dün geldi, rengi çok güzel, çocuklar da beğendi.",
        "Servis çok yavaştı, iki saat bekledik, yemek soğuktu.",
        "Kutu yırtılmış, lamba da kırıktı, hiç hoşuma gitmedi",
    ),
    "de": (
        "Der Stuhl kam gestern, die Farbe ist sehr schön für unser Wohnzimmer.",
        "Wir mussten über zwei Stunden warten, das Essen war früher größer.",
        "Die Tür der Schachtel war zerrissen, die Lampe schließt nicht völlig",
    ),
    "fr": (
        "La chaise est arrivée hier, la couleur est très réussie.",
        "Le service était trop lent, nous avons attendu près de deux heures à côté.",
        "La boîte était déchirée et la lampe cassée, hélas",
    ),
    "es": (
        "La silla llegó ayer, el color es bonito y a los niños también les gustó.",
        "El servicio fue muy lento, esperamos más de dos horas mañana y tarde.",
        "¿Por qué la caja venía rota? También la lámpara",
    ),
    "pl": (
        "Krzesło przyszło wczoraj, kolor jest bardzo ładny, dzieci się cieszą.",
        "Obsługa była zbyt wolna, czekaliśmy dwie godziny na zupę.",
        "Pudełko było rozdarte, a lampa też pęknięta, żałuję",
    ),
    "cs": (
        "Židle přišla včera, barva je moc hezká, děti mají radost.",
        "Obsluha byla příliš pomalá, čekali jsme dvě hodiny na oběd.",
        "Krabice byla roztržená a žárovka také nesvítí",
    ),
}
"""Three reviews a language, about a chair, a restaurant and a broken lamp."""

ENCODINGS = (
    *(("zh-TW", name) for name in ("big5", "cp950", "big5hkscs", "utf-16")),
    *(("zh-CN", name) for name in ("gbk", "gb18030", "gb2312", "utf-16", "utf-16-le", "utf-16-be")),
    *(("ja", name) for name in ("shift_jis", "cp932", "euc_jp", "iso2022_jp", "utf-16-le")),
    *(("ko", name) for name in ("euc_kr", "cp949", "utf-16-be")),
    *(("ru", name) for name in ("cp1251", "koi8-r", "cp866", "utf-16-le")),
    *(("uk", name) for name in ("cp1251", "koi8-u")),
    *(("el", name) for name in ("cp1253", "iso8859-7")),
    *(("he", name) for name in ("cp1255", "iso8859-8")),
    *(("ar", name) for name in ("cp1256",)),
    *(("th", name) for name in ("cp874", "tis-620")),
    *(("tr", name) for name in ("cp1254", "iso8859-9")),
    *((language, name) for language in ("de", "fr", "es") for name in ("cp1252", "latin-1", "utf-16-le")),
    *((language, name) for language in ("pl", "cs") for name in ("cp1250",)),
)
