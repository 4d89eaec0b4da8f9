#!/usr/bin/env python3
# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
Find faults of the built pages: broken links, missing pictures, cut content.

    sphinx-build -b html docs docs/_build/html
    python docs/check_pages.py docs/_build/html

Links, anchors and pictures are read from the HTML. With a chromium (or
google-chrome) on the path, or named by --browser, each page is also laid out
at two widths: whatever reaches beyond the window, or beyond a box that
neither wraps nor scrolls, is cut. The exit status is 1 if anything was found.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ['find_broken_links', 'find_cut_content', 'find_long_options',
           'find_missing_pictures', 'main']

WIDTHS = 1280, 420

# Pages that Sphinx makes for itself.
SKIPPED = 'genindex', 'search', 'py-modindex', '_modules'

# Lays a page out in a frame of the given width, and lists the elements that
# are wider than the window and lie in no box that scrolls or hides them.
FRAME = """<!doctype html><meta charset="utf-8">
<body style="margin:0"><script>
const pages = %s, width = %d, found = [];
const frame = document.createElement('iframe');
frame.style.cssText = `width:${width}px;height:2000px;border:0`;
document.body.append(frame);
function inBox(element, body) {
    for (let e = element; e && e !== body; e = e.parentElement) {
        const style = getComputedStyle(e);
        if (['auto', 'scroll', 'hidden', 'clip'].includes(style.overflowX)
            || style.position === 'fixed') { return e; }
    }
    return null;
}
function isHiding(box) {
    const style = getComputedStyle(box).overflowX;
    return ['hidden', 'clip'].includes(style)
        && box.scrollWidth > box.clientWidth + 1
        && box.matches('pre, table, div.highlight, figure');
}
async function look(page) {
    await new Promise(resolve => {
        frame.onload = resolve; frame.src = page;
        setTimeout(resolve, 15000);
    });
    await new Promise(resolve => setTimeout(resolve, 60));
    const doc = frame.contentDocument, body = doc.body;
    const view = doc.documentElement.clientWidth;
    const seen = [];
    for (const e of body.querySelectorAll('article *')) {
        const box = e.getBoundingClientRect();
        if (!box.width || !box.height) { continue; }
        // (a box around the whole article, which scrolls sideways, holds
        // nothing: text that is wider than the screen is cut)
        const around = inBox(e, body);
        const holder = around && around.contains(e.closest('article'))
            ? null : around;
        const cut = (holder === null && box.right > view + 1)
            || (holder === e && isHiding(e));
        if (cut && !seen.some(other => other.contains(e))) {
            seen.push(e);
            found.push([page, width, e.tagName.toLowerCase(), Math.round(
                box.right), (e.textContent || '').trim().slice(0, 60)]);
        }
    }
    if (doc.documentElement.scrollWidth > view + 1) {
        found.push([page, width, 'page', doc.documentElement.scrollWidth,
                    'the page scrolls sideways']);
    }
    const height = doc.documentElement.scrollHeight;
    heights.push([page, width, height]);
}
const heights = [];
(async () => {
    for (const page of pages) {
        try { await look(page); }
        catch (error) { found.push([page, width, 'page', 0, `${error}`]); }
    }
    const out = document.createElement('pre');
    out.id = 'found';
    out.textContent = JSON.stringify([found, heights]);
    document.body.append(out);
    frame.remove();
    document.title = 'done';
})();
</script></body>
"""


class Page(HTMLParser):
    """
    Links, anchors and pictures of a page.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.
    """

    def __init__(self, path):
        super().__init__()
        self.links, self.pictures, self.anchors = [], [], {''}
        self.text, self.depth, self.skipped = [], 0, 0
        self.feed(path.read_text(encoding='utf-8'))

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        for key in ('id', 'name'):
            if values.get(key):
                self.anchors.add(values[key])
        if tag == 'a' and values.get('href'):
            self.links.append(values['href'])
        if tag == 'img' and values.get('src'):
            self.pictures.append(values['src'])
        if tag == 'article':
            self.depth += 1
        if tag in ('pre', 'code', 'script', 'style'):
            self.skipped += 1

    def handle_endtag(self, tag):
        if tag == 'article':
            self.depth -= 1
        if tag in ('pre', 'code', 'script', 'style'):
            self.skipped -= 1

    def handle_data(self, data):
        if self.depth and not self.skipped:
            self.text.append(data)

    def get_text(self):
        return ' '.join(' '.join(self.text).split())


def read_pages(folder):
    """
    Read all pages below a folder.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The folder that Sphinx wrote.

    Returns
    -------
    pages : dict
        `Page` by the path of its file.
    """
    return {path: Page(path) for path in sorted(folder.rglob('*.html'))
            if not {'_static', '_modules', '_downloads'} & set(
                path.relative_to(folder).parts)}


def _target(path, link):
    """
    Return file and anchor of a link inside the documentation, or `None`.
    """
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None
    file = path if not parts.path else (
        path.parent / unquote(parts.path)).resolve()
    return file, unquote(parts.fragment)


def find_broken_links(pages):
    """
    Find links to files and anchors that do not exist.

    Parameters
    ----------
    pages : dict
        As `read_pages` returns them.

    Returns
    -------
    faults : list of str
    """
    faults = []
    known = {path.resolve(): page for path, page in pages.items()}
    for path, page in pages.items():
        for link in dict.fromkeys(page.links):
            target = _target(path, link)
            if target is None:
                continue
            file, anchor = target
            file = file / 'index.html' if file.is_dir() else file
            if not file.exists():
                faults.append(f'{path}: the link {link} leads nowhere')
            elif file.resolve() in known and anchor not in known[
                    file.resolve()].anchors:
                faults.append(f'{path}: the link {link} has no such anchor')
    return faults


def find_missing_pictures(pages):
    """
    Find pictures and thumbnails that do not exist, or are placeholders.

    Parameters
    ----------
    pages : dict
        As `read_pages` returns them.

    Returns
    -------
    faults : list of str
    """
    faults = []
    for path, page in pages.items():
        for picture in dict.fromkeys(page.pictures):
            target = _target(path, picture)
            if target is None:
                continue
            if not target[0].exists() or not target[0].stat().st_size:
                faults.append(f'{path}: the picture {picture} is missing')
            elif 'no_image' in picture:
                faults.append(f'{path}: {picture} is a placeholder, not a '
                              'thumbnail')
    return faults


def find_long_options(pages):
    """
    Find options whose hyphens became a dash, reprs, and directives.

    Parameters
    ----------
    pages : dict
        As `read_pages` returns them.

    Returns
    -------
    faults : list of str
    """
    faults = []
    for path, page in pages.items():
        text = page.get_text()
        for mark, fault in ((' object at 0x', 'a repr with an address'),
                            ('<lambda>', 'a lambda')):
            if mark in text:
                faults.append(f'{path}: {fault}')
        for directive in re.findall(r'\.\. [a-z-]+::', text):
            faults.append(f'{path}: {directive} is shown, not obeyed')
        for word in text.split():
            if word[0] in '–—' and len(word) > 3 and word[1:2].islower():
                faults.append(f'{path}: {word} was an option with two '
                              'hyphens')
    return faults


def find_cut_content(pages, browser, *, n_pages=10, widths=WIDTHS):
    """
    Find tables, code and figures that are cut, with a browser.

    Parameters
    ----------
    pages : iterable of `~pathlib.Path`
        Files of HTML.

    browser : str
        The program.

    n_pages : int, optional
        Number of pages that one start of the browser looks at.

    widths : tuple of int, optional
        Widths of the window in pixels.

    Returns
    -------
    faults : list of str

    heights : dict
        Height of each page (pixels) by path and width.
    """
    pages = [str(Path(page).resolve()) for page in pages]
    faults, heights = [], {}
    for width in widths:
        for first in range(0, len(pages), n_pages):
            found, sizes = _ask(pages[first:first + n_pages], width, browser)
            faults += [f'{page}: at {at} px, <{tag}> reaches to {right} px: '
                       f'{" ".join(text.split())}'
                       for page, at, tag, right, text in found]
            heights.update({(page, at): height
                            for page, at, height in sizes})
    return faults, heights


def _ask(pages, width, browser):
    with tempfile.TemporaryDirectory() as folder:
        frame = Path(folder) / 'frame.html'
        urls = [Path(page).as_uri() for page in pages]
        frame.write_text(FRAME % (json.dumps(urls), width), encoding='utf-8')
        done = subprocess.run(
            [browser, '--headless', '--no-sandbox', '--disable-gpu',
             '--disable-quic', '--no-first-run',
             '--disable-background-networking',
             '--disable-component-update', '--disable-sync',
             '--allow-file-access-from-files', '--disable-web-security',
             f'--user-data-dir={folder}/profile',
             f'--window-size={width + 40},2100',
             f'--virtual-time-budget={2000 * len(pages) + 5000}',
             '--dump-dom', frame.as_uri()],
            capture_output=True, text=True, timeout=60 + 20 * len(pages),
            check=True)
    start = done.stdout.rfind('<pre id="found">')
    if start < 0:
        msg = (f'{browser} did not finish to look at {pages[0]} and '
               f'{len(pages) - 1} more')
        raise RuntimeError(msg)
    text = done.stdout[start:].partition('>')[2].partition('</pre>')[0]
    for mark, sign in (('&lt;', '<'), ('&gt;', '>'), ('&amp;', '&')):
        text = text.replace(mark, sign)
    found, heights = json.loads(text)

    def path(url):
        return unquote(urlsplit(url).path)

    return ([[path(page), *rest] for page, *rest in found],
            [[path(page), *rest] for page, *rest in heights])


def main(args=None):
    """
    Check all pages, and print what is wrong.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('folder', type=Path,
                        help='the folder that sphinx-build wrote')
    parser.add_argument('--browser', default=next(
        filter(None, map(shutil.which, ('chromium', 'google-chrome',
                                        'chromium-browser'))), None),
        help='a chromium; without one, the layout is not looked at')
    parser.add_argument('--only', nargs='+', metavar='NAME', default=[],
                        help='lay out these pages only, such as index')
    parser.add_argument('--no-browser', action='store_true',
                        help='read the HTML only')
    parser.add_argument('--heights', action='store_true',
                        help='print the heights of the pages too')
    args = parser.parse_args(args)
    pages = read_pages(args.folder)
    if not pages:
        parser.error(f'there are no pages in {args.folder}: build them with '
                     'sphinx-build')
    faults = [*find_broken_links(pages), *find_missing_pictures(pages),
              *find_long_options(pages)]
    if args.browser and not args.no_browser:
        shown = [path for path in pages if not any(
            part.removesuffix('.html') in SKIPPED
            for part in path.relative_to(args.folder).parts)
            and (not args.only or path.stem in args.only)]
        cut, heights = find_cut_content(shown, args.browser)
        faults += cut
        if args.heights:
            for (page, width), height in sorted(
                    heights.items(), key=lambda item: -item[1]):
                sys.stdout.write(f'{height:6d} px at {width}: {page}\n')
    for fault in faults:
        sys.stdout.write(f'{fault}\n')
    sys.stdout.write(f'{len(pages)} pages: {len(faults)} faults\n')
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main())
