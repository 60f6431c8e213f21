// The page: each event of `/events` is the whole status; what is shown is what has changed since the last one.

const KEPT = 300;          // events, so five minutes
const PARTNERS_MAX = 100;  // rows; the busiest
const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const small = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });

/** An element with attributes and children. Texts become text nodes: nothing is ever parsed as HTML. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

function say(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

/** Shows `rows`, and leaves the document alone where they are those that it shows. */
function fill(id, rows, drawn, none) {
  const parent = $(id);
  const key = JSON.stringify(rows);
  if (parent.dataset.key === key) return;
  // Whoever stands on a button in a row goes on standing there.
  const held = parent.contains(document.activeElement) ? document.activeElement.dataset.held : undefined;
  parent.dataset.key = key;
  parent.replaceChildren(...(rows.length ? rows.map(drawn) : none ? [none()] : []));
  if (held) [...parent.querySelectorAll('[data-held]')].find((one) => one.dataset.held === held)?.focus();
}

const nothing = (columns, text) => () => make('tr', {}, make('td', { colspan: columns, class: 'none' }, text));
const cell = (text, kind) => make('td', { class: kind }, text);
const time = (seconds) => new Date(seconds * 1000).toLocaleTimeString('en-GB');
const date = (seconds) => new Date(seconds * 1000).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });
const millis = (micros) => micros === undefined ? '–' : micros < 1000 ? `${number.format(micros)} µs` : `${small.format(micros / 1000)} ms`;
const sum = (numbers) => numbers.reduce((all, one) => all + one, 0);

/** What a counter has grown by; after a restart of the gateway it began at 0 again. */
const grown = (before, now) => now >= before ? now - before : now;

// ---- history and plots

const history = { rate: [], refused: [], p99: [], inFlight: [] };

function keep(list, value) {
  list.push(value);
  if (list.length > KEPT) list.shift();
}

function plot(id, values) {
  const svg = $(id);
  const top = Math.max(1e-9, ...values.filter(Number.isFinite)) * 1.1;
  svg.setAttribute('viewBox', `0 0 ${KEPT - 1} 56`);
  svg.setAttribute('preserveAspectRatio', 'none');
  const from = KEPT - values.length;
  const points = values.map((value, at) => `${from + at},${(56 - (Number.isFinite(value) ? value : 0) / top * 54).toFixed(1)}`);
  if (svg.childElementCount === 0) {
    for (const kind of ['area', 'stroke']) {
      const shape = document.createElementNS('http://www.w3.org/2000/svg', kind === 'area' ? 'polygon' : 'polyline');
      shape.setAttribute('class', kind);
      svg.append(shape);
    }
  }
  svg.children[0].setAttribute('points', points.length ? `${from},56 ${points.join(' ')} ${KEPT - 1},56` : '');
  svg.children[1].setAttribute('points', points.join(' '));
}

/** The time that the share `q` of the requests between two looks stayed under. */
function quantile(bounds, before, now, q) {
  const counts = now.map((count, at) => grown(before?.[at] ?? 0, count));
  let left = sum(counts) * q;
  if (left === 0) return undefined;
  for (const [at, count] of counts.entries()) {
    left -= count;
    if (left <= 0) return bounds[at];
  }
  return bounds.at(-1);
}

// ---- the panels

const requests = (status) => sum(status.routes.map((route) => route.requests));
const ended = (status) => sum(status.routes.map((route) => (route.decisions.refuse ?? 0) + (route.decisions.reject ?? 0)));

function traffic(status, before) {
  const passed = before ? Math.max(0.2, status.now - before.now) : undefined;
  const rate = (count) => passed ? grown(count(before), count(status)) / passed : undefined;
  const shown = (value) => value === undefined ? '–' : small.format(value);
  const { bounds_us: bounds, server, upstream } = status.latency;
  const earlier = before?.latency;
  const p99 = before && quantile(bounds, earlier.server, server, 0.99);
  if (before) {
    keep(history.rate, rate(requests));
    keep(history.refused, rate(ended));
    keep(history.p99, p99);
    keep(history.inFlight, status.in_flight);
  }
  say('rate', shown(rate(requests)));
  say('refused-rate', shown(rate(ended)));
  say('p99', millis(p99));
  say('p50-note', `p50 ${millis(before && quantile(bounds, earlier.server, server, 0.5))}`);
  say('in-flight', number.format(status.in_flight));
  say('connections-note', `over ${number.format(status.connections)} connections`);
  say('upstream-latency', `p50 ${millis(quantile(bounds, undefined, upstream, 0.5))}, p99 ${millis(quantile(bounds, undefined, upstream, 0.99))} since the start`);
  plot('plot-rate', history.rate);
  plot('plot-refused', history.refused);
  plot('plot-latency', history.p99);
  plot('plot-in-flight', history.inFlight);
  const rows = status.routes.map((route) => {
    const same = before?.routes.find((other) => other.route === route.route);
    const speed = passed ? small.format(grown(same?.requests ?? 0, route.requests) / passed) : '–';
    return [route.route, `${route.methods.join(' ')} ${route.path}`, route.requests, speed, route.decisions.refuse ?? 0, route.decisions.reject ?? 0, route.statuses['5xx'] ?? 0];
  });
  fill('routes', rows, ([route, what, ...numbers]) => make('tr', {},
    make('td', { title: what }, route), ...numbers.map((one) => cell(typeof one === 'string' ? one : number.format(one), 'number'))),
  nothing(6, 'The policy has no routes.'));
  const codes = status.codes.filter((code) => code.enforced).sort((one, other) => other.enforced - one.enforced).slice(0, 8);
  fill('codes', codes, ({ code, title, rule, enforced }) => make('li', {},
    make('div', { class: 'row' }, explains(code, `${rule} ${code}`, title), make('span', { class: 'number' }, number.format(enforced))),
    make('progress', { max: codes[0].enforced, value: enforced, 'aria-label': `${code}, of the most frequent` })),
  () => make('li', { class: 'none' }, 'Nothing was refused so far.'));
}

/** A code, which leads to its page. */
function explains(code, held, title) {
  return make('button', { type: 'button', class: 'code', title, 'data-held': held, onclick: () => explain(code) }, code);
}

function refusals(status, before) {
  const known = new Set(before?.refusals.map((one) => one.request_id));
  fill('refusal-rows', status.refusals, (one) => make('tr', { class: before && !known.has(one.request_id) ? 'fresh' : undefined },
    cell(time(one.at)), cell(one.partner ?? '–'), cell(one.route ?? '–'), cell(String(one.status ?? '–'), 'number'),
    make('td', { class: 'why' }, ...(one.found.length
      ? one.found.flatMap(({ rule, code, title }, at) => [at ? make('br') : undefined, explains(code, `${one.request_id} ${code}`), ` ${title} (${rule})`])
      : [`${one.rejection}: ${one.title}`])),
    cell(one.request_id, 'mono')),
  nothing(6, 'The gateway has ended no request so far.'));
}

function partners(status, before) {
  const passed = before ? Math.max(0.2, status.now - before.now) : undefined;
  const rows = status.partners.map((one) => {
    const same = before?.partners.find((other) => other.partner === one.partner);
    return { ...one, rate: passed ? grown(same?.admitted ?? 0, one.admitted) / passed : 0 };
  });
  rows.sort((one, other) => other.rate - one.rate || other.admitted - one.admitted || one.partner.localeCompare(other.partner));
  fill('partner-rows', rows.slice(0, PARTNERS_MAX), (one) => make('tr', {},
    cell(one.partner), cell(one.tier), cell(number.format(one.admitted), 'number'), cell(small.format(one.rate), 'number'),
    cell(number.format(one.held_back), 'number'),
    cell(one.concurrent === null ? number.format(one.under_way) : `${number.format(one.under_way)} of ${number.format(one.concurrent)}`, 'number'),
    make('td', {}, ...(one.quotas.length ? one.quotas.map(quota) : [make('span', { class: 'none' }, 'no limit')]))),
  nothing(7, 'The configuration names no partners.'));
  const more = rows.length - PARTNERS_MAX;
  $('partners-more').hidden = more <= 0;
  say('partners-more', more > 0 ? `And ${number.format(more)} more, less busy.` : '');
}

function quota({ quota: name, most, seconds, burst, left }) {
  const what = `${name}: ${number.format(most)} in ${small.format(seconds)} s`;
  if (left === null) return make('div', { class: 'quota' }, make('span', { class: 'none' }, `${what}, counted in the store`));
  return make('div', { class: left < burst / 10 ? 'quota low' : 'quota' },
    make('progress', { max: burst, value: left, 'aria-label': `${what}, what is left` }),
    make('span', { class: 'number', title: what }, `${number.format(left)} of ${number.format(burst)}`));
}

function around(status) {
  const { upstream, reloads } = status;
  const pill = (id, good, text) => fill(id, [text], () => make('span', { class: good ? 'pill good' : 'pill bad' }, text));
  pill('api', !upstream.paused, upstream.paused ? 'given a pause, because it fails' : 'in use');
  say('upstream-connections', number.format(upstream.connections));
  fill('store', [status.store], (store) => store === null ? document.createTextNode('none: this gateway counts alone')
    : make('span', { class: store ? 'pill good' : 'pill bad' }, store ? 'answers' : 'away'));
  say('certificates', status.certificates.map(({ shown_to: to, ends }) => `shown to ${to}: until ${date(ends)}`).join('; ') || 'none are shown');
  say('loaded', date(reloads.at));
  say('reloads', `${number.format(reloads.taken)} taken, ${number.format(reloads.refused)} refused`);
  $('faults').hidden = reloads.faults.length === 0;
  fill('fault-rows', reloads.faults, (fault) => make('li', {}, ...inline(fault)));
  $('change').hidden = !status.takes_token;
  $('read-only').hidden = status.takes_token;
  say('policy', status.policy);
  say('digest', status.digest);
  say('version', status.version);
  say('seen', time(status.now));
  const ready = $('ready');
  ready.className = status.ready ? 'pill good' : 'pill bad';
  say('ready', status.ready ? 'ready' : status.draining ? 'draining' : 'not ready');
  document.title = `${status.ready ? '' : '● '}patchgate: ${status.policy}`;
}

// ---- the graph

let drawn = { digest: undefined, pictures: [] };

async function draw(status) {
  if (drawn.digest !== status.digest) {
    drawn.digest = status.digest;
    try {
      const { pictures } = await (await fetch('pictures')).json();
      drawn.pictures = pictures.map(({ resource, svg, lines }, at) => {
        const picture = document.importNode(new DOMParser().parseFromString(svg, 'image/svg+xml').documentElement, true);
        // Each has names of its own.
        for (const id of ['name', 'what']) picture.querySelector(`#${id}`).id = `picture-${at}-${id}`;
        picture.setAttribute('aria-labelledby', `picture-${at}-name picture-${at}-what`);
        return { resource, picture, lines };
      });
      $('pictures').replaceChildren(...(drawn.pictures.length
        ? drawn.pictures.map(({ resource, picture }) => make('div', { class: 'picture', tabindex: 0, role: 'region', 'aria-label': `States of ${resource}` }, picture))
        : [make('p', { class: 'none' }, 'No resource of the policy has states.')]));
    } catch {
      drawn.digest = undefined;  // With the next event again.
      return;
    }
  }
  for (const { resource, picture, lines } of drawn.pictures) {
    const steps = status.resources.find((one) => one.resource === resource)?.steps ?? [];
    const paths = picture.querySelectorAll('path.line');
    for (const [at, path] of paths.entries()) {
      const counted = steps.filter(({ from, to }) => lines[at]?.some(([one, other]) => one === from && other === to));
      count(picture, path, at, sum(counted.map((step) => step.permitted)), sum(counted.map((step) => step.refused)));
    }
  }
  const rows = status.resources.flatMap(({ steps }) => steps)
    .sort((one, other) => other.refused - one.refused || other.permitted - one.permitted);
  fill('steps', rows, (step) => make('tr', {}, cell(step.from), cell(step.to), cell(step.allowed ? 'yes' : 'no'),
    cell(number.format(step.permitted), 'number'), cell(number.format(step.refused), 'number')),
  nothing(5, 'There are no steps.'));
}

/** Writes beside a line how often it was gone, and how often not. */
function count(picture, path, at, permitted, refused) {
  const text = [permitted ? `${number.format(permitted)} ✓` : '', refused ? `${number.format(refused)} ✗` : ''].filter(Boolean).join('  ');
  let label = picture.querySelector(`text[data-at="${at}"]`);
  if (!label && text) {
    const middle = path.getPointAtLength(path.getTotalLength() * 0.62);
    label = document.createElementNS('http://www.w3.org/2000/svg', 'text');
    for (const [key, value] of Object.entries({ 'data-at': at, x: middle.x + 6, y: middle.y - 5 })) label.setAttribute(key, value);
    path.parentNode.append(label);
  }
  if (!label) return;
  label.setAttribute('class', refused ? 'count some' : 'count');
  if (label.textContent !== text) label.textContent = text;
  path.classList.toggle('busy', permitted + refused > 0);
}

// ---- the pages of codes

async function explain(code) {
  const answer = await fetch(`codes/${code}`).catch(() => undefined);
  const text = answer?.ok ? await answer.text() : 'The gateway does not answer.';
  $('explained-name').textContent = code;
  $('explained-text').replaceChildren(...prose(text));
  $('explained').showModal();
}

/** A line in which some of it is code. */
const inline = (line) => line.split(/(`[^`]+`)/).map((part) => part.length > 2 && part.startsWith('`') ? make('code', {}, part.slice(1, -1)) : part);

/** The little Markdown that the pages of codes are written in. */
function prose(text) {
  const told = [];
  for (const [at, block] of text.split('```').entries()) {
    if (at % 2) {
      told.push(make('pre', { tabindex: 0 }, block.slice(block.indexOf('\n') + 1)));
      continue;
    }
    for (const part of block.split(/\n\n+/).map((one) => one.trim()).filter(Boolean)) {
      if (part.startsWith('# ')) continue;
      if (part.startsWith('## ')) told.push(make('h3', {}, part.slice(3)));
      else told.push(make('p', {}, ...inline(part.replaceAll('\n', ' '))));
    }
  }
  return told;
}

// ---- try a patch

function choices(status) {
  const before = [$('route').value, $('partner').value];
  fill('route', status.routes.map(({ route, methods, path }) => [route, methods, path]),
    ([route, methods, path]) => make('option', { value: route }, `${route}: ${methods.join(' ')} ${path}`));
  const partners = status.partners.map((one) => one.partner);
  fill('partner', partners.length ? partners : [''], (partner) => make('option', { value: partner }, partner || 'nobody that is known'));
  const patches = status.routes.find((route) => route.methods.includes('PATCH'))?.route;
  $('route').value = status.routes.some((one) => one.route === before[0]) ? before[0] : patches ?? status.routes[0]?.route;
  if (partners.includes(before[1])) $('partner').value = before[1];
}

$('question').addEventListener('submit', async (event) => {
  event.preventDefault();
  const given = (id) => $(id).value.trim() === '' ? undefined : $(id).value;
  const question = { route: $('route').value, partner: $('partner').value, if_match: given('if-match'), body: $('body').value, current: given('current') };
  const answer = await fetch('explain', { method: 'POST', body: JSON.stringify(question) }).catch(() => undefined);
  if (!answer?.ok) {
    const why = answer ? (await answer.text()).trim() : 'the gateway does not answer';
    $('judgement').replaceChildren(make('p', {}, make('span', { class: 'pill bad' }, 'not judged'), ` ${why}`));
    return;
  }
  $('judgement').replaceChildren(...judged(await answer.json()));
});

const SAID = { pass: 'passes', 'needs-current': 'needs the current state', violated: 'refuses', warned: 'warns' };

function judged(report) {
  const verdicts = { permit: ['pill good', 'permitted'], refuse: ['pill bad', 'refused'], 'needs-current': ['pill', 'needs the current state'] };
  const [kind, word] = verdicts[report.verdict];
  const details = [report.step && `${report.step.from} → ${report.step.to}`, report.pin && `pinned to ${report.pin}`, report.more && `${report.more} more violations`];
  const violation = (warned) => (one) => make('li', { class: warned ? 'violation warned' : 'violation' },
    explains(one.code, `judged ${one.code}`), ' ', one.pointer === undefined ? undefined : make('code', {}, one.pointer), ' ', ...inline(one.message),
    one.accepted.length ? make('div', { class: 'accepted' }, `accepted: ${one.accepted.join('  ')}`) : undefined,
    make('div', { class: 'accepted mono' }, [one.at, one.schema].filter(Boolean).join('  ')));
  const rules = report.rules.map(({ rule, answer, why, count, at }) => make('tr', {}, cell(rule),
    cell([SAID[answer], why && `: ${why}`, count > 1 && ` (${count})`].filter(Boolean).join(''), 'why'), cell(at, 'mono')));
  return [
    make('p', {}, make('span', { class: kind }, word), ` ${details.filter(Boolean).join(' · ')}`),
    report.violations.length + report.warnings.length
      ? make('ul', {}, ...report.violations.map(violation(false)), ...report.warnings.map(violation(true))) : undefined,
    make('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Rule by rule' }, make('table', {},
      make('thead', {}, make('tr', {}, ...['Rule', 'Says', 'Written at'].map((name) => make('th', { scope: 'col' }, name)))),
      make('tbody', {}, ...rules))),
  ].filter(Boolean);
}

// ---- changes

$('change').addEventListener('submit', async (event) => {
  event.preventDefault();
  const what = event.submitter?.value ?? 'reload';
  // There is no way back from draining but a new start.
  if (what === 'drain' && !confirm('Ask callers to go elsewhere until the next start?')) return;
  const headers = { Authorization: `Bearer ${$('token').value}` };
  const answer = await fetch(what, { method: 'POST', headers }).catch(() => undefined);
  const said = answer ? await answer.text() : 'The gateway does not answer.';
  say('changed', answer?.status === 422 ? 'Not taken: see above.' : said.trim());
});

// ---- live

let last;

function show(status) {
  $('banner').hidden = true;
  traffic(status, last);
  refusals(status, last);
  partners(status, last);
  around(status);
  choices(status);
  draw(status);
  last = status;
  document.body.dataset.events = Number(document.body.dataset.events ?? 0) + 1;
}

function listen() {
  const events = new EventSource('events');
  events.onmessage = (event) => show(JSON.parse(event.data));
  events.onerror = () => {
    $('ready').className = 'pill bad';
    say('ready', 'no answer');
    $('banner').hidden = false;
    say('banner', `The gateway does not answer${last ? `; what is shown is from ${time(last.now)}` : ''}. It is asked again and again.`);
    // A browser comes back by itself, unless it was answered something else.
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  };
}

listen();
