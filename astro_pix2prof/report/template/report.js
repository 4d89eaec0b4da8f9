'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const byId = (id) => document.getElementById(id);
  const list = byId('cards');
  const dialog = byId('large');
  const SVG = 'http://www.w3.org/2000/svg';
  // what the address holds besides '#': the state of the view
  const FIELDS = ['q', 'show', 'flag', 'band', 'mag0', 'mag1', 'r0', 'r1',
    'sort'];
  // a list that was asked for comes in its own order
  const FIRST_SORT = data.cards.some((card) => card.order) ? 'order' : 'index';
  const NUMBERS = { mag: ['mag0', 'mag1'], r50: ['r0', 'r1'] };
  let shown = [];
  let descending = false;
  let open = null;
  let opener = null;

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

  const flagsOf = (value) => data.flags.filter((flag) => value & flag.bit);
  const isFailed = (card) => Boolean(card.flag & data.failed);
  const fixed = (value, digits) => (
    value === null ? '–' : value.toFixed(digits));

  // --- ratings ---------------------------------------------------------------

  // kept in the browser, for all pages of this survey
  const KEY = `pix2prof-ratings-${data.survey}`;
  const GRADES = [0, 1, 2, 3, 4, 5];
  let ratings = readRatings();

  function readRatings() {
    try {
      const found = JSON.parse(localStorage.getItem(KEY));
      return found && typeof found === 'object' ? found : {};
    } catch { return {}; }
  }

  const ratingOf = (card) => {
    const found = ratings[card.index];
    return found && GRADES.includes(found.rating) ? found.rating : null;
  };

  // the same grade again, or null, takes a rating back
  function rate(card, grade) {
    // (another page of this survey may be open)
    ratings = { ...ratings, ...readRatings() };
    if (grade === null || ratingOf(card) === grade) delete ratings[card.index];
    else ratings[card.index] = { rating: grade, source: card.source };
    keepRatings();
  }

  function keepRatings() {
    try {
      localStorage.setItem(KEY, JSON.stringify(ratings));
    } catch { /* they last as long as the page: export them */ }
    showRatings();
  }

  function rateBar(card) {
    const box = make('div', {
      class: 'rate', role: 'group', 'data-rate': card.index,
      'aria-label': `Rating of ${nameOf(card)}` }, 'Rate');
    for (const grade of GRADES) {
      const button = make('button', {
        type: 'button', 'data-grade': grade,
        title: `Rate ${grade} (key ${grade})` }, String(grade));
      button.addEventListener('click', () => rate(card, grade));
      box.append(button);
    }
    return box;
  }

  function showRatings() {
    for (const box of document.querySelectorAll('[data-rate]')) {
      markRating(box);
    }
    const count = Object.keys(ratings).length;
    byId('rated').textContent = count
      ? `${count} rated: kept in this browser` : 'Rate galaxies from 0 (usual)'
      + ' to 5 (interesting), by clicking or with the keys 0 to 5';
    byId('export').disabled = !count;
    byId('forget').disabled = !count;
  }

  function markRating(box) {
    const found = ratings[box.dataset.rate];
    for (const button of box.querySelectorAll('button')) {
      button.setAttribute('aria-pressed', String(
        Boolean(found) && String(found.rating) === button.dataset.grade));
    }
  }

  function ratingsAsCsv() {
    const quoted = (text) => `"${String(text).replaceAll('"', '""')}"`;
    const rows = Object.entries(ratings).map(([index, { rating, source }]) => (
      `${index},${quoted(source || '')},${rating}`));
    return `${['index,source,rating', ...rows].join('\r\n')}\r\n`;
  }

  // keys of the galaxy that is open, or whose card has the focus
  document.addEventListener('keydown', (event) => {
    const { target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey
        || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName)) return;
    const item = target.closest && target.closest('li.card');
    const card = open || (item && data.cards.find(
      (one) => String(one.index) === item.dataset.index));
    if (!card) return;
    if (/^[0-5]$/.test(event.key)) {
      // (a key sets: typing it twice is no mistake)
      if (ratingOf(card) !== Number(event.key)) rate(card, Number(event.key));
    } else if (event.key === 'Delete' || event.key === 'Backspace') {
      rate(card, null);
    } else return;
    event.preventDefault();
  });

  // --- one galaxy ----------------------------------------------------------

  function isophotes(card, count) {
    const svg = draw('svg', {
      viewBox: `0 0 ${card.side} ${card.side}`, 'aria-hidden': 'true' });
    const { a, e } = card.rings;
    const last = a.length - 1;
    const rows = new Set([last]);
    for (let k = 1; k < count; k += 1) {
      rows.add(Math.round(last * (k / count) ** 0.7));
    }
    for (const k of [...rows].sort((p, q) => p - q)) {
      if (card.theta[k] !== null && e[k] !== null && a[k]) {
        const rx = a[k] * card.pixels;
        svg.append(draw('ellipse', {
          class: k === last ? 'ring last' : 'ring',
          stroke: `hsl(${8 + 200 * (k / Math.max(last, 1))} 85% 45%)`,
          cx: card.x, cy: card.y, rx, ry: rx * (1 - e[k]),
          transform: `rotate(${-card.theta[k]} ${card.x} ${card.y})` }));
      }
    }
    return svg;
  }

  function picture(card, kind, count) {
    if (!card[kind]) {
      return make('div', { class: 'none-here' },
        card.note || 'no image');
    }
    const image = make('img', {
      src: card[kind], loading: 'lazy', alt: kind === 'picture'
        ? `Image of ${card.source}` : `Residual of ${card.source}` });
    const view = make('div', { class: 'view' }, image);
    if (kind === 'picture' && card.theta && count) {
      view.append(isophotes(card, count));
    }
    return view;
  }

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
  function plot(card, name, error, options) {
    const { width, height, label, flip, large } = options;
    const left = 38;
    const bottom = large ? 34 : 18;
    const x = card.rings.a;
    const y = card.rings[name];
    const rows = x.map((v, k) => k).filter(
      (k) => x[k] !== null && y[k] !== null);
    const svg = draw('svg', {
      viewBox: `0 0 ${width} ${height}`, role: 'img' });
    svg.append(draw('title', {}, `${label} of ${card.source}`));
    if (rows.length < 2) {
      return make('div', { class: 'none-here' }, 'no profile');
    }
    const root = (v) => Math.max(v, 0) ** 0.25;
    const x1 = root(Math.max(...rows.map((k) => x[k])));
    let low = Math.min(...rows.map((k) => y[k]));
    let high = Math.max(...rows.map((k) => y[k]));
    const margin = Math.max(0.06 * (high - low), 0.02);
    low -= margin;
    high += margin;
    const px = (v) => left + (root(v) / x1) * (width - left - 6);
    const py = (v) => {
      const part = (v - low) / (high - low);
      return 5 + (flip ? part : 1 - part) * (height - bottom - 5);
    };
    for (const value of ticks(low, high, large ? 6 : 4)) {
      svg.append(draw('path', {
        class: 'grid', d: `M${left},${py(value)}H${width - 6}` }));
      svg.append(draw('text', {
        x: left - 4, y: py(value) + 4, 'text-anchor': 'end' },
      String(Number(value.toFixed(3)))));
    }
    // round radii, as many as there is room for
    let free = large ? -Infinity : left + 14;
    for (let power = -3; power < 6; power += 1) {
      for (const digit of [1, 2, 5]) {
        const value = digit * 10 ** power;
        const place = px(value);
        if (place >= free && value >= 0.01 * x1 ** 4 && place <= width - 14) {
          svg.append(draw('text', {
            x: place, y: height - bottom + 13, 'text-anchor': 'middle' },
          String(Number(value.toPrecision(1)))));
          free = place + 32;
        }
      }
    }
    if (error) {
      const err = card.rings[error];
      const there = rows.filter((k) => err[k] !== null);
      const clip = (v) => Math.min(Math.max(v, low), high);
      const edge = [
        ...there.map((k) => `${px(x[k])},${py(clip(y[k] - err[k]))}`),
        ...there.reverse().map(
          (k) => `${px(x[k])},${py(clip(y[k] + err[k]))}`)];
      svg.append(draw('polygon', { class: 'band', points: edge.join(' ') }));
    }
    svg.append(draw('polyline', {
      class: 'line', points: rows.map(
        (k) => `${px(x[k])},${py(y[k])}`).join(' ') }));
    if (large) {
      for (const k of rows) {
        const flags = data.ring_flags.filter(
          (flag) => card.rings.flag[k] & flag.bit).map((f) => f.name);
        svg.append(draw('circle', {
          class: 'dot s0', cx: px(x[k]), cy: py(y[k]), r: 2.2 },
        draw('title', {}, `${x[k]}${card.unit}: ${y[k]} ${flags.join(' ')}`)));
      }
      svg.append(draw('text', {
        class: 'label', x: (left + width) / 2, y: height - 4,
        'text-anchor': 'middle' },
      `Semi-major axis [${card.unit.trim()}], fourth root`));
    }
    return svg;
  }

  function chips(card) {
    const box = make('div', { class: 'chips' });
    for (const flag of flagsOf(card.flag)) {
      box.append(make('span', {
        class: flag.bit === data.failed ? 'chip bad' : 'chip flag',
        title: flag.meaning }, flag.name));
    }
    for (const why of card.why.filter((text) => !text.startsWith('flag '))) {
      box.append(make('span', { class: 'chip' }, why));
    }
    return box;
  }

  function facts(card) {
    const parts = [];
    if (card.band) parts.push(card.band);
    if (card.mag !== null) parts.push(`${fixed(card.mag, 2)} mag`);
    if (card.r50 !== null) parts.push(`R50 ${card.r50}${card.unit}`);
    if (card.mu0 !== null) parts.push(`µ₀ ${fixed(card.mu0, 1)}`);
    if (card.rms !== null) parts.push(`residual ${fixed(card.rms, 2)} σ`);
    return parts.join(' · ');
  }

  const nameOf = (card) => (
    card.source.split(/[\\/]/).pop() || `galaxy ${card.index}`);
  const sbLabel = (card) => (
    card.calibrated ? 'Surface brightness [mag/arcsec²]' : '−2.5 log I');

  function cardNode(card) {
    const button = make('button', { type: 'button', class: 'open' },
      make('div', { class: 'head' },
        make('span', { class: 'name', title: card.source }, nameOf(card)),
        make('span', { class: 'number' }, `#${card.index}`)));
    const views = make('div', { class: 'views' });
    if (isFailed(card)) {
      views.append(picture(card, 'picture', 0),
        make('div', { class: 'none-here message' }, card.message));
    } else {
      views.append(picture(card, 'picture', 6), plot(card, 'mu', 'err', {
        width: 190, height: 190, label: sbLabel(card), flip: true }));
    }
    button.append(views, make('div', { class: 'facts' }, facts(card)),
      chips(card));
    button.addEventListener('click', () => {
      opener = card;
      show(card);
    });
    return make('li', { class: 'card', 'data-index': card.index }, button,
      rateBar(card));
  }

  const nodes = new Map();
  function nodeOf(card) {
    if (!nodes.has(card)) nodes.set(card, cardNode(card));
    return nodes.get(card);
  }

  // --- the dialog ----------------------------------------------------------

  function show(card) {
    open = card;
    const step = (by) => {
      const k = shown.indexOf(card) + by;
      if (k >= 0 && k < shown.length) {
        opener = shown[k];
        show(shown[k]);
      }
    };
    const button = (text, label, action) => {
      const node = make('button', {
        type: 'button', 'aria-label': label, title: label }, text);
      node.addEventListener('click', action);
      return node;
    };
    const wide = make('div', { class: 'wide' });
    const block = (title, ...content) => wide.append(
      make('div', {}, make('h4', {}, title), ...content));
    if (card.picture) block('Image and isophotes', picture(card, 'picture', 9));
    if (card.residual) {
      block('Residual, ±30 σ', picture(card, 'residual', 0));
    }
    const size = { width: 340, height: 300, large: true };
    if (!isFailed(card)) {
      block(sbLabel(card), plot(card, 'mu', 'err', {
        ...size, label: sbLabel(card), flip: true }));
      block('Ellipticity', plot(card, 'e', null, {
        ...size, height: 220, label: 'Ellipticity' }));
      block('Position angle [deg]', plot(card, 'pa', null, {
        ...size, height: 220, label: 'Position angle' }));
    }
    const values = make('dl', {});
    const row = (name, value) => {
      if (value !== null && value !== '') {
        values.append(make('dt', {}, name), make('dd', {}, String(value)));
      }
    };
    row('name', card.source);
    row('chosen as', card.why.join(', '));
    row('message', card.message);
    row('note', card.note);
    row('band', card.band);
    row('magnitude', card.mag);
    row('R50', card.r50 === null ? null : card.r50 + card.unit);
    row('last radius', card.reach === null ? null : card.reach + card.unit);
    row('rings', card.n_rings);
    row('residual', card.rms === null ? null
      : `${card.rms} σ (robust rms within the last ellipse)`);
    for (const [name, value] of Object.entries(card.extra)) row(name, value);
    block('Values', values);
    dialog.replaceChildren(make('div', { class: 'bar-top' },
      make('h3', { id: 'large-title' }, `#${card.index} ${nameOf(card)}`),
      button('←', 'Previous galaxy', () => step(-1)),
      button('→', 'Next galaxy', () => step(1)),
      button('✕', 'Close', () => dialog.close())), rateBar(card),
    chips(card), wide);
    showRatings();
    if (!dialog.open) dialog.showModal();
    dialog.querySelector('.bar-top button:last-child').focus();
    dialog.onkeydown = (event) => {
      if (event.key === 'ArrowLeft') step(-1);
      if (event.key === 'ArrowRight') step(1);
    };
    remember();
  }

  dialog.addEventListener('close', () => {
    open = null;
    remember();
    const node = opener && nodes.get(opener);
    if (node && node.isConnected) node.querySelector('button').focus();
  });
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });

  // --- filter and sort -----------------------------------------------------

  const SHOW = {
    '': () => true,
    sample: (card) => card.why.includes('random sample'),
    measured: (card) => !isFailed(card),
    clean: (card) => card.flag === 0,
    flagged: (card) => card.flag !== 0 && !isFailed(card),
    failed: isFailed,
    extreme: (card) => card.why.some((text) => data.extremes.includes(text)),
    rated: (card) => ratingOf(card) !== null,
    unrated: (card) => ratingOf(card) === null,
  };

  function searchText(card) {
    if (!card.text) {
      card.text = [card.index, card.source, card.band, card.message,
        ...card.why, ...Object.values(card.extra)].join('\n').toLowerCase();
    }
    return card.text;
  }

  function fits(card) {
    const words = byId('q').value.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.every((word) => searchText(card).includes(word))) return false;
    if (!(SHOW[byId('show').value] || SHOW[''])(card)) return false;
    const flag = data.flags.find((f) => f.name === byId('flag').value);
    if (flag && !(card.flag & flag.bit)) return false;
    if (byId('band').value && card.band !== byId('band').value) return false;
    for (const [key, [low, high]] of Object.entries(NUMBERS)) {
      for (const [id, sign] of [[low, 1], [high, -1]]) {
        const limit = byId(id).value;
        if (limit !== '' && (card[key] === null
            || sign * card[key] < sign * Number(limit))) return false;
      }
    }
    return true;
  }

  function compare(key) {
    const sign = descending ? -1 : 1;
    const value = (card) => (key === 'rating' ? ratingOf(card) : card[key]);
    return (p, q) => {
      const [a, b] = [value(p), value(q)];
      // what is not known comes last in both directions
      if (a === null || b === null) return (a === null) - (b === null);
      const order = typeof a === 'string'
        ? a.localeCompare(b, undefined, { numeric: true }) : a - b;
      return sign * order || p.index - q.index;
    };
  }

  function update() {
    shown = data.cards.filter(fits).sort(compare(byId('sort').value));
    list.replaceChildren(...shown.map(nodeOf));
    showRatings();
    byId('dir').setAttribute('aria-pressed', String(descending));
    byId('dir').firstChild.textContent = descending ? '↓' : '↑';
    byId('count').textContent = `${shown.length} of ${data.cards.length} `
      + 'galaxies of the gallery';
    remember();
  }

  function remember() {
    const state = new URLSearchParams();
    for (const id of FIELDS) {
      const { value } = byId(id);
      if (value && !(id === 'sort' && value === FIRST_SORT)) state.set(id, value);
    }
    if (descending) state.set('desc', '1');
    if (open) state.set('galaxy', open.index);
    const text = state.toString();
    // (a browser may refuse this for a local file; the page works without)
    try {
      history.replaceState(null, '', text ? `#${text}` : location.pathname
        + location.search);
    } catch { /* the address stays as it is */ }
  }

  function restore() {
    const text = location.hash.slice(1);
    if (text && !text.includes('=')) return;
    const state = new URLSearchParams(text);
    for (const id of FIELDS) {
      const node = byId(id);
      const value = state.get(id) || (id === 'sort' ? FIRST_SORT : '');
      node.value = value;
      if (node.tagName === 'SELECT' && node.selectedIndex < 0) {
        node.selectedIndex = 0;
      }
    }
    descending = state.get('desc') === '1';
    const card = data.cards.find(
      (item) => String(item.index) === state.get('galaxy'));
    update();
    if (dialog.open && !card) dialog.close();
    if (card) show(card);
    else if (text) byId('gallery').scrollIntoView();
  }

  function fill(id, values) {
    for (const [value, text] of values) {
      byId(id).append(make('option', { value }, text));
    }
  }
  fill('flag', data.flags.map((flag) => [flag.name, data.cards.filter(
    (card) => card.flag & flag.bit).length, flag])
    .filter(([, count]) => count)
    .map(([name, count]) => [name, `${name} (${count})`]));
  fill('band', [...new Set(data.cards.map((card) => card.band))]
    .filter(Boolean).sort().map((band) => [band, band]));
  if (FIRST_SORT === 'order') {
    byId('sort').prepend(make('option', { value: 'order' }, 'the list'));
  }
  for (const id of FIELDS) byId(id).addEventListener('input', update);
  byId('dir').addEventListener('click', () => {
    descending = !descending;
    update();
  });
  byId('reset').addEventListener('click', () => {
    for (const id of FIELDS) byId(id).value = id === 'sort' ? FIRST_SORT : '';
    descending = false;
    update();
  });
  byId('export').addEventListener('click', () => {
    const url = URL.createObjectURL(new Blob(
      [ratingsAsCsv()], { type: 'text/csv' }));
    make('a', { href: url, download: 'ratings.csv' }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  });
  byId('forget').addEventListener('click', () => {
    if (!window.confirm('Forget all ratings of this survey?')) return;
    ratings = {};
    keepRatings();
  });
  window.addEventListener('storage', (event) => {
    if (event.key === KEY) {
      ratings = readRatings();
      showRatings();
    }
  });
  byId('zoom').addEventListener('input', (event) => {
    list.style.setProperty('--card-width',
      { 1: '240px', 2: '340px', 3: '520px' }[event.target.value]);
  });
  window.addEventListener('hashchange', restore);
  restore();
  if (!shown.length) update();
})();
