'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const byId = (id) => document.getElementById(id);
  const SVG = 'http://www.w3.org/2000/svg';
  const { rings } = data;
  const MOST = 40;
  const box = byId('picture');
  // what the address holds besides '#': the state of the page
  const state = { view: 'image', ring: null, zoom: 1 };
  let centre = [data.width / 2, data.height / 2];

  // all text goes in as text, never as markup
  function make(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes || {})) {
      node.setAttribute(key, value);
    }
    node.append(...children);
    return node;
  }

  function draw(tag, attributes, ...children) {
    const node = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes || {})) {
      node.setAttribute(key, value);
    }
    node.append(...children);
    return node;
  }

  const flagsOf = (k) => Object.entries(data.flags).filter(
    ([, bit]) => rings.flag[k] & bit).map(([name]) => name);
  // rings whose value or ellipse is to be taken with care
  const isDoubtful = (k) => (rings.flag[k] & ~data.flags.UNRESOLVED) !== 0;

  // --- the picture ---------------------------------------------------------

  const svg = draw('svg', { role: 'img' });
  svg.append(draw('title', {}, `Image of ${data.name}`));
  const place = { x: 0, y: 0, width: data.width, height: data.height,
    preserveAspectRatio: 'none' };
  const image = draw('image', place);
  const mask = draw('image', { ...place, visibility: 'hidden' });
  if (data.mask) mask.setAttribute('href', data.mask);
  else byId('mask-on').disabled = true;
  const group = draw('g', {});
  svg.append(image, mask, group);
  box.append(svg);

  const drawn = data.sma.map((a, k) => {
    if (a === null || data.eps[k] === null || !(a > 0)) return null;
    const hue = 8 + 200 * (k / Math.max(data.sma.length - 1, 1));
    const node = draw('ellipse', {
      class: 'ring', stroke: `hsl(${hue} 85% 45%)`, cx: data.x, cy: data.y,
      rx: a, ry: a * (1 - data.eps[k]),
      transform: `rotate(${-data.theta[k]} ${data.x} ${data.y})` });
    group.append(node);
    return node;
  });

  function frame() {
    const width = data.width / state.zoom;
    const height = data.height / state.zoom;
    const hold = (v, size, full) => Math.min(
      Math.max(v, size / 2), full - size / 2);
    centre = [hold(centre[0], width, data.width),
      hold(centre[1], height, data.height)];
    svg.setAttribute('viewBox', [centre[0] - width / 2,
      centre[1] - height / 2, width, height].map(
      (v) => Number(v.toFixed(3))).join(' '));
  }

  function zoomTo(zoom, at) {
    const next = Math.min(Math.max(zoom, 1), MOST);
    if (at) {
      // the point under the pointer stays where it is
      centre = centre.map(
        (c, i) => at[i] + (c - at[i]) * (state.zoom / next));
    }
    state.zoom = next;
    frame();
    remember();
  }

  function pointOf(event) {
    const edge = svg.getBoundingClientRect();
    const [x, y, width, height] = svg.getAttribute('viewBox').split(
      ' ').map(Number);
    return [x + ((event.clientX - edge.left) / edge.width) * width,
      y + ((event.clientY - edge.top) / edge.height) * height];
  }

  // the ring whose ellipse passes nearest
  function ringAt([px, py]) {
    let best = null;
    let least = Infinity;
    data.sma.forEach((a, k) => {
      if (a === null || data.eps[k] === null) return;
      const t = (data.theta[k] * Math.PI) / 180;
      const dx = px - data.x;
      const dy = data.y - py;
      const u = dx * Math.cos(t) + dy * Math.sin(t);
      const v = (dy * Math.cos(t) - dx * Math.sin(t)) / (1 - data.eps[k]);
      const away = Math.abs(Math.hypot(u, v) - a);
      if (away < least) {
        least = away;
        best = k;
      }
    });
    return best;
  }

  // --- the charts ----------------------------------------------------------

  const CHARTS = [
    ['mu', 'mu_err', rings.calibrated ? 'Surface brightness [mag/arcsec²]'
      : '−2.5 log I', 250, true],
    ['e', 'e_err', 'Ellipticity', 150, false],
    ['pa', 'pa_err', 'Position angle [deg]', 150, false],
  ];
  const marks = [];

  function ticks(low, high, most) {
    const raw = (high - low) / most;
    let step = 10 ** Math.floor(Math.log10(raw));
    step *= [1, 2, 5, 10].find((f) => f * step >= raw);
    const found = [];
    for (let v = Math.ceil(low / step - 1e-9) * step;
      v <= high + 1e-9 * step; v += step) {
      found.push(v);
    }
    return found;
  }

  // y against the fourth root of the radius, as plots of profiles often are
  function chart([name, error, label, height, flip]) {
    const width = 560;
    const left = 44;
    const bottom = 34;
    const x = rings.a;
    const y = rings[name];
    const err = rings[error];
    const rows = x.map((v, k) => k).filter(
      (k) => x[k] !== null && y[k] !== null);
    const figure = make('figure', {}, make('figcaption', {}, label));
    if (rows.length < 2) {
      figure.append(make('div', { class: 'none-here' }, 'nothing to show'));
      return figure;
    }
    const plot = draw('svg', {
      viewBox: `0 0 ${width} ${height}`, role: 'img' });
    plot.append(draw('title', {}, `${label} of ${data.name}`));
    const root = (v) => Math.max(v, 0) ** 0.25;
    const x1 = root(Math.max(...rows.map((k) => x[k]))) || 1;
    let low = Math.min(...rows.map((k) => y[k]));
    let high = Math.max(...rows.map((k) => y[k]));
    const margin = Math.max(0.06 * (high - low), 0.02);
    low -= margin;
    high += margin;
    const px = (v) => left + (root(v) / x1) * (width - left - 8);
    const py = (v) => {
      const part = (Math.min(Math.max(v, low), high) - low) / (high - low);
      return 5 + (flip ? part : 1 - part) * (height - bottom - 5);
    };
    for (const value of ticks(low, high, 5)) {
      plot.append(draw('path', {
        class: 'grid', d: `M${left},${py(value)}H${width - 8}` }));
      plot.append(draw('text', {
        x: left - 5, y: py(value) + 4, 'text-anchor': 'end' },
      String(Number(value.toFixed(3)))));
    }
    let free = -Infinity;
    for (let power = -3; power < 6; power += 1) {
      for (const digit of [1, 2, 5]) {
        const value = digit * 10 ** power;
        const at = px(value);
        if (at >= free && value >= 0.01 * x1 ** 4 && at <= width - 14) {
          plot.append(draw('text', {
            x: at, y: height - bottom + 13, 'text-anchor': 'middle' },
          String(Number(value.toPrecision(1)))));
          free = at + 32;
        }
      }
    }
    plot.append(draw('text', {
      class: 'label', x: (left + width) / 2, y: height - 4,
      'text-anchor': 'middle' },
    `Semi-major axis [${rings.unit.trim()}], fourth root`));
    plot.append(draw('polyline', {
      class: 'line', points: rows.map(
        (k) => `${px(x[k])},${py(y[k])}`).join(' ') }));
    const dots = new Map();
    for (const k of rows) {
      if (err[k] !== null) {
        plot.append(draw('path', { class: 'bar-line',
          d: `M${px(x[k])},${py(y[k] - err[k])}V${py(y[k] + err[k])}` }));
      }
      const dot = draw('circle', {
        class: isDoubtful(k) ? 'dot doubtful' : 'dot s0', cx: px(x[k]),
        cy: py(y[k]), r: 2.6 }, draw('title', {}, words(k)));
      plot.append(dot);
      dots.set(k, dot);
    }
    marks.push(dots);
    plot.addEventListener('pointermove', (event) => {
      const edge = plot.getBoundingClientRect();
      const at = ((event.clientX - edge.left) / edge.width) * width;
      let best = rows[0];
      for (const k of rows) {
        if (Math.abs(px(x[k]) - at) < Math.abs(px(x[best]) - at)) best = k;
      }
      choose(best);
    });
    figure.append(plot);
    return figure;
  }

  // --- a ring --------------------------------------------------------------

  const text = (value, digits) => (
    value === null || value === undefined ? '–' : value.toFixed(digits));
  const withError = (value, error, digits) => text(value, digits) + (
    error === null ? '' : ` ± ${text(error, digits)}`);

  function words(k) {
    const unit = rings.calibrated ? ' mag/arcsec²' : '';
    return `${rings.a[k]}${rings.unit}: ${
      withError(rings.mu[k], rings.mu_err[k], 3)}${unit} ${
      flagsOf(k).join(' ')}`.trim();
  }

  function choose(k) {
    if (state.ring === k) return;
    const before = state.ring;
    state.ring = k;
    for (const [row, on] of [[before, false], [k, true]]) {
      if (row !== null) {
        const nodes = [drawn[row], byId(`row-${row}`),
          ...marks.map((dots) => dots.get(row))];
        for (const node of nodes) {
          if (node) node.classList.toggle('chosen', on);
        }
      }
    }
    tell();
    remember();
  }

  function tell() {
    const k = state.ring;
    if (k === null) {
      byId('ring').replaceChildren(make('span', {},
        'Point at a ring in the image or at a point of a chart.'));
      return;
    }
    const unit = rings.calibrated ? ' mag/arcsec²' : ' (−2.5 log I)';
    const chips = make('div', { class: 'chips' });
    for (const name of flagsOf(k)) {
      chips.append(make('span', { class: 'chip flag' }, name));
    }
    byId('ring').replaceChildren(
      make('div', {}, make('b', {}, `${rings.a[k]}${rings.unit}`),
        make('span', {}, `  ring ${k + 1} of ${rings.a.length}`)),
      make('div', {}, withError(rings.mu[k], rings.mu_err[k], 3) + unit),
      make('div', {}, make('span', {}, `ellipticity ${
        withError(rings.e[k], rings.e_err[k], 3)} · pa ${
        withError(rings.pa[k], rings.pa_err[k], 1)}° · ${
        text(rings.mag[k], 3)} mag within · ${
        rings.valid[k] === null ? '–' : Math.round(100 * rings.valid[k])
      }% usable`)), chips);
  }

  // --- what the user does --------------------------------------------------

  let drag = null;
  svg.addEventListener('pointerdown', (event) => {
    drag = { x: event.clientX, y: event.clientY, centre: [...centre] };
    box.classList.add('moving');
    svg.setPointerCapture(event.pointerId);
  });
  for (const kind of ['pointerup', 'pointercancel']) {
    svg.addEventListener(kind, () => {
      drag = null;
      box.classList.remove('moving');
    });
  }
  svg.addEventListener('pointermove', (event) => {
    if (drag && state.zoom > 1) {
      const edge = svg.getBoundingClientRect();
      const scale = data.width / state.zoom / edge.width;
      centre = [drag.centre[0] - (event.clientX - drag.x) * scale,
        drag.centre[1] - (event.clientY - drag.y) * scale];
      frame();
    } else {
      choose(ringAt(pointOf(event)));
    }
  });
  svg.addEventListener('wheel', (event) => {
    event.preventDefault();
    zoomTo(state.zoom * 1.2 ** (event.deltaY < 0 ? 1 : -1), pointOf(event));
  }, { passive: false });
  const middle = () => [data.x, data.y];
  byId('in').addEventListener('click', () => zoomTo(state.zoom * 1.5,
    middle()));
  byId('out').addEventListener('click', () => zoomTo(state.zoom / 1.5,
    middle()));
  byId('reset').addEventListener('click', () => zoomTo(1));
  box.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1,
      ArrowDown: -1 }[event.key];
    if (step) {
      event.preventDefault();
      const next = state.ring === null ? 0 : state.ring + step;
      choose(Math.min(Math.max(next, 0), rings.a.length - 1));
    } else if (event.key === '+' || event.key === '=') {
      zoomTo(state.zoom * 1.5, middle());
    } else if (event.key === '-') {
      zoomTo(state.zoom / 1.5, middle());
    }
  });

  function show() {
    image.setAttribute('href', data.views[state.view]);
    byId('view').value = state.view;
  }
  byId('view').addEventListener('input', () => {
    state.view = byId('view').value;
    show();
    remember();
  });
  byId('rings-on').addEventListener('input', () => group.setAttribute(
    'visibility', byId('rings-on').checked ? 'visible' : 'hidden'));
  byId('mask-on').addEventListener('input', () => mask.setAttribute(
    'visibility', byId('mask-on').checked ? 'visible' : 'hidden'));

  function remember() {
    const found = new URLSearchParams();
    if (state.view !== 'image') found.set('view', state.view);
    if (state.ring !== null) found.set('ring', state.ring);
    if (state.zoom !== 1) found.set('zoom', Number(state.zoom.toFixed(2)));
    const all = found.toString();
    // (a browser may refuse this for a local file; the page works without)
    try {
      history.replaceState(null, '', all ? `#${all}` : location.pathname
        + location.search);
    } catch { /* the address stays as it is */ }
  }

  function restore() {
    const found = new URLSearchParams(location.hash.slice(1));
    if (data.views[found.get('view')]) state.view = found.get('view');
    const zoom = Number(found.get('zoom'));
    if (zoom > 1) {
      centre = middle();
      state.zoom = Math.min(zoom, MOST);
    }
    show();
    frame();
    tell();
    const ring = found.get('ring');
    if (ring !== null && Number(ring) in rings.a) choose(Number(ring));
  }

  for (const kind of CHARTS) byId('charts').append(chart(kind));
  restore();
})();
