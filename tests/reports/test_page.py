import base64
import io
import re
from html.parser import HTMLParser

from PIL import Image

from seqtrain.reports.page import Code, Figures, Heading, PageImage, Section, Table, Text, page


class Reader(HTMLParser):
    """What a browser would find."""

    def __init__(self):
        super().__init__()
        self.tags, self.words, self.links = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href")]

    def handle_data(self, data):
        self.words.append(data)


def read(html):
    reader = Reader()
    reader.feed(html)
    return reader


def whole():
    blocks = [
        Text("plain"),
        Heading("more"),
        Code("a: 1\n  b: 2"),
        Figures({"accuracy": "0.95"}),
        Table([["cat", 3, 0.123456], ["dog", None, 1e9]], ["class", "count", "share"]),
        PageImage(Image.new("RGB", (3, 2), "red"), "a red picture"),
    ]
    return page("A run", "of today", [Section("First", blocks), Section("Second", [])])


def test_a_page_needs_no_network():
    reader = read(whole())
    assert all(link.startswith(("#", "data:")) for link in reader.links)
    assert "http" not in whole()
    assert "script" not in reader.tags


def test_numbers_and_the_names_of_their_columns_stand_at_the_right():
    html = whole()
    assert re.findall(r"<th([^>]*)>(\w+)", html) == [
        ("", "class"),
        (' class="number"', "count"),
        (' class="number"', "share"),
    ]
    assert html.count('<td class="number">') == 3


def test_everything_given_is_on_it():
    text = " ".join(read(whole()).words)
    for words in (
        "A run",
        "of today",
        "First",
        "Second",
        "plain",
        "more",
        "a: 1\n  b: 2",
        "accuracy",
        "0.95",
        "0.1235",
    ):
        assert words in text
    assert re.search(r"dog\s+-\s+1e\+09", text)


def test_pictures_are_inside():
    source = next(link for link in read(whole()).links if link.startswith("data:"))
    picture = Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))
    assert picture.size == (3, 2) and picture.getpixel((0, 0)) == (255, 0, 0)


def test_texts_are_escaped():
    html = page("<b>", "&", [Section("<script>alert(1)</script>", [Text("<img src=x>"), Table([["<i>"]])])])
    assert "<script>" not in html and "<img src=x>" not in html and "<i>" not in html
    assert "<script>alert(1)</script>" in "".join(read(html).words)
