"""A page as a parser reads it."""

from html.parser import HTMLParser

EMPTY = {"meta", "img", "br", "wbr"}
"""Elements of HTML without an end; those of SVG close themselves."""


class Page(HTMLParser):
    """Elements in their order, with the text that stands in each and the elements around it."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), [], [each[0] for each in self.open]))
        if tag not in EMPTY:
            self.open.append(self.elements[-1])

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), [], [each[0] for each in self.open]))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        for each in self.open:
            each[2].append(data)

    def texts(self, tag):
        """Text of all elements of a kind."""
        return ["".join(text) for name, _, text, _ in self.elements if name == tag]

    def classed(self, kind):
        """(attributes, text) of all elements with such a class."""
        return [(attrs, "".join(text)) for _, attrs, text, _ in self.elements if kind in (attrs.get("class") or "").split()]

    def shapes(self, kind):
        """Attributes of all elements with such a class."""
        return [attrs for attrs, _ in self.classed(kind)]


def share(place):
    """The share of its axis that a place such as 87.50% stands for."""
    assert place.endswith("%")
    return float(place[:-1]) / 100
