# Licensed under a 3-clause BSD style license - see LICENSE.rst
"""
The charts of a report as SVG, whose colours the page sets for light and dark.
"""

from html import escape

import numpy as np

__all__ = ['density_chart', 'histogram_chart', 'quantile_chart']


_WIDTH, _HEIGHT = 360, 230

_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 42

# How many classes of colours the page has.
N_SERIES = 6


class _Axes:
    """
    A frame with ticks.

    Parameters
    ----------
    x, y : tuple of 2 floats
        The limits.

    labels : tuple of str
        Of the two axes.

    log : tuple of 2 bools
        Whether an axis shows log10 of the quantity.
    """

    def __init__(self, x, y, labels, log=(False, False)):
        self._x, self._y, self._labels, self._log = x, y, labels, log
        self.parts = []

    def x(self, value):
        """
        The horizontal place of a value.
        """
        low, high = self._x
        return _LEFT + (value - low) / (high - low) * (
            _WIDTH - _LEFT - _RIGHT)

    def y(self, value):
        """
        The vertical place of a value.
        """
        low, high = self._y
        return _HEIGHT - _BOTTOM - (value - low) / (high - low) * (
            _HEIGHT - _TOP - _BOTTOM)

    def svg(self, title):
        """
        The chart (str).
        """
        bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
        grid, ticks = [], []
        for value, text in _ticks(*self._x, log=self._log[0]):
            place = self.x(value)
            ticks.append(f'<text x="{place:.1f}" y="{bottom + 15}" '
                         f'text-anchor="middle">{text}</text>')
            grid.append(f'M{place:.1f},{bottom}v4')
        lines = []
        for value, text in _ticks(*self._y, log=self._log[1]):
            place = self.y(value)
            ticks.append(f'<text x="{_LEFT - 6}" y="{place + 4:.1f}" '
                         f'text-anchor="end">{text}</text>')
            lines.append(f'M{_LEFT},{place:.1f}H{right}')
        middle = (_LEFT + right) / 2
        height = (_TOP + bottom) / 2
        return (
            f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">'
            f'<title>{escape(title)}</title>'
            f'<path class="grid" d="{"".join(lines)}"/>'
            + ''.join(self.parts)
            + f'<path class="axis" d="M{_LEFT},{bottom}H{right}'
            f'{"".join(grid)}"/>{"".join(ticks)}'
            f'<text class="label" x="{middle}" y="{_HEIGHT - 6}" '
            f'text-anchor="middle">{escape(self._labels[0])}</text>'
            f'<text class="label" transform="translate(12 {height}) '
            f'rotate(-90)" text-anchor="middle">{escape(self._labels[1])}'
            '</text></svg>')


def histogram_chart(counts, edges, *, label, log=False, unit=''):
    """
    Draw the distribution of a quantity, of each band.

    Parameters
    ----------
    counts : dict
        By band: 1D `~numpy.ndarray` of int, shape (n,).

    edges : 1D `~numpy.ndarray`, shape (n + 1,)
        Edges of the bins; log10 of the quantity if ``log``.

    label : str
        The quantity with its unit.

    log : bool, optional
        Whether the bins are of log10.

    unit : str, optional
        The unit in the text of each bar.

    Returns
    -------
    svg : str
        Empty if there is nothing to draw.
    """
    counts = {band: np.asarray(values) for band, values in counts.items()
              if np.any(values)}
    if not counts:
        return ''
    stack = np.array(list(counts.values()))
    # fewer bins for few galaxies
    stack, edges = _rebin(stack, edges, most=int(np.clip(
        2.5 * stack.sum()**0.4, 6, 40)))
    axes = _Axes((edges[0], edges[-1]), (0, 1.05 * stack.max()),
                 (label, 'galaxies'), (log, False))
    for number, (band, values) in enumerate(zip(counts, stack,
                                                strict=True)):
        series = f's{number % N_SERIES}'
        if len(counts) > 1:
            path = f'M{axes.x(edges[0]):.1f},{axes.y(0):.1f}' + ''.join(
                f'V{axes.y(value):.1f}H{axes.x(right):.1f}'
                for value, right in zip(values, edges[1:], strict=True))
            axes.parts.append(
                f'<path class="step {series}" d="{path}V{axes.y(0):.1f}">'
                f'<title>{escape(band or "no band")}: {values.sum():,}'
                '</title></path>')
            continue
        for value, left, right in zip(values, edges[:-1], edges[1:],
                                      strict=True):
            if value:
                x, y = axes.x(left), axes.y(value)
                ends = [_short(10**end if log else end)
                        for end in (left, right)]
                axes.parts.append(
                    f'<rect class="bar {series}" x="{x:.1f}" y="{y:.1f}" '
                    f'width="{max(axes.x(right) - x - 0.6, 0.6):.1f}" '
                    f'height="{axes.y(0) - y:.1f}"><title>{ends[0]} to '
                    f'{ends[1]}{unit}: {value:,}</title></rect>')
    return axes.svg(f'Distribution: {label}')


def quantile_chart(counts, x_edges, y_edges, *, labels, log, title,
                   flip=False, min_count=5):
    """
    Draw the median of y and the range of the middle 68% against x.

    Parameters
    ----------
    counts : 2D `~numpy.ndarray` of int, shape (n, m)
        How often each x and y came.

    x_edges, y_edges : 1D `~numpy.ndarray`
        Edges of the bins, of log10 where ``log`` says so.

    labels, log : tuple of 2
        Of the axes.

    title : str
        What the chart shows.

    flip : bool, optional
        Whether y grows downwards, as magnitudes do.

    min_count : int, optional
        Bins of x with fewer are left out.

    Returns
    -------
    svg : str
        Empty if there is nothing to draw.
    """
    use = counts.sum(axis=1) >= min_count
    if np.count_nonzero(use) < 2:
        return ''
    x = 0.5 * (x_edges[1:] + x_edges[:-1])[use]
    low, median, high = (
        np.array([_quantile(row, y_edges, share) for row in counts[use]])
        for share in (0.16, 0.5, 0.84))
    margin = 0.06 * max(high.max() - low.min(), 0.1)
    y_limits = (low.min() - margin, high.max() + margin)
    if flip:
        y_limits = y_limits[::-1]
    axes = _Axes((x[0], x[-1]), y_limits, labels, log)
    band = [f'{axes.x(a):.1f},{axes.y(b):.1f}' for a, b in (
        *zip(x, low, strict=True),
        *zip(x[::-1], high[::-1], strict=True))]
    line = [f'{axes.x(a):.1f},{axes.y(b):.1f}'
            for a, b in zip(x, median, strict=True)]
    axes.parts += [f'<polygon class="band s0" points="{" ".join(band)}"/>',
                   f'<polyline class="line s0" points="{" ".join(line)}"/>']
    for a, b, n in zip(x, median, counts[use].sum(axis=1), strict=True):
        shown = [_short(10**v if is_log else v)
                 for v, is_log in zip((a, b), log, strict=True)]
        axes.parts.append(
            f'<circle class="dot s0" cx="{axes.x(a):.1f}" '
            f'cy="{axes.y(b):.1f}" r="2.6"><title>{shown[0]}: {shown[1]} '
            f'({n:,} rings)</title></circle>')
    return axes.svg(title)


def density_chart(counts, x_edges, y_edges, *, labels, log, title):
    """
    Draw how many galaxies lie at each x and y.

    Parameters
    ----------
    counts, x_edges, y_edges, labels, log, title
        As for `quantile_chart`.

    Returns
    -------
    svg : str
        Empty if there is nothing to draw.
    """
    rows, columns = np.nonzero(counts)
    if len(rows) == 0:
        return ''
    x = (x_edges[rows.min()], x_edges[rows.max() + 1])
    y = (y_edges[columns.min()], y_edges[columns.max() + 1])
    axes = _Axes(x, y, labels, log)
    largest = np.log1p(counts.max())
    for row, column in zip(rows, columns, strict=True):
        left, right = axes.x(x_edges[row]), axes.x(x_edges[row + 1])
        bottom, top = axes.y(y_edges[column]), axes.y(y_edges[column + 1])
        n = counts[row, column]
        axes.parts.append(
            f'<rect class="cell s0" x="{left:.1f}" y="{top:.1f}" '
            f'width="{right - left:.1f}" height="{bottom - top:.1f}" '
            f'fill-opacity="{0.12 + 0.88 * np.log1p(n) / largest:.2f}">'
            f'<title>{n:,}</title></rect>')
    return axes.svg(title)


def _rebin(counts, edges, *, most):
    """
    Drop empty bins at both ends, and join bins until they are few.
    """
    some = np.flatnonzero(counts.sum(axis=0))
    first, last = some[0], some[-1] + 1
    factor = 1
    while (last - first) / factor > most:
        factor += 1
    first = max(first - 1, 0)
    n = -(-(last + 1 - first) // factor)
    step = edges[1] - edges[0]
    new = np.zeros((len(counts), n), dtype=np.int64)
    for k in range(n):
        part = slice(first + k * factor, first + (k + 1) * factor)
        new[:, k] = counts[:, part].sum(axis=1)
    return new, edges[first] + step * factor * np.arange(n + 1)


def _quantile(counts, edges, share):
    """
    A quantile of binned values.
    """
    total = np.concatenate([[0], np.cumsum(counts)])
    return float(np.interp(share * total[-1], total, edges))


def _ticks(low, high, *, log=False):
    """
    Round values between two limits, and their texts.
    """
    low, high = min(low, high), max(low, high)
    if log:
        ticks = [(float(np.log10(digit) + power), digit * 10.0**power)
                 for power in range(int(np.floor(low)),
                                    int(np.ceil(high)) + 1)
                 for digit in ((1, 2, 5) if high - low < 2.2 else (1,))]
        inside = [(place, _short(value)) for place, value in ticks
                  if low - 1e-9 <= place <= high + 1e-9]
        if len(inside) > 1:
            return inside[::1 if len(inside) < 9 else 2]
        return [(place, _short(10**place)) for place in (low, high)]
    step = 10.0**np.floor(np.log10((high - low) / 4))
    step *= next(f for f in (1, 2, 5, 10) if (high - low) / (f * step) <= 6)
    values = np.arange(np.ceil(low / step - 1e-9),
                       np.floor(high / step + 1e-9) + 1) * step
    # (there is room for a few characters only)
    for size, letter in ((1e6, 'M'), (1e3, 'k')):
        if max(abs(low), abs(high)) >= 10 * size:
            return [(value, f'{value / size:.4g}{letter}' if value else '0')
                    for value in values]
    return [(value, _short(value)) for value in values]


def _short(value):
    """
    A number in few characters.
    """
    if abs(value) >= 10000:
        return f'{value:,.0f}'
    return f'{value:.4g}'.replace('-', '−') if abs(value) > 1e-12 else '0'
