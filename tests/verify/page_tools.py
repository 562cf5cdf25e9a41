"""Pages as a browser splits them."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """Elements, attributes and text of a page, the way a browser splits it."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text, self.scripts, self._script = [], [], {}, None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self._script = dict(attributes).get("id", "") if tag == "script" else None

    def handle_endtag(self, tag):
        self._script = None if tag == "script" else self._script

    def handle_data(self, data):
        if self._script is None:
            self.text.append(data)
        else:
            self.scripts[self._script] = self.scripts.get(self._script, "") + data

    @property
    def data(self):
        """The drawings that are in the page."""
        return self.scripts.get("drawings", "")

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())
