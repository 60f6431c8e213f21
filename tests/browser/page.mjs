// Scenarios of the page, in a real browser: `node page.mjs SCENARIO ADMIN CALLERS [PATH]`. What it prints last is
// `done`; what it prints before that, and waits for a line on standard input after, is for the test to do.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const [scenario, admin, callers, path] = process.argv.slice(2);
const ADMIN = `http://${admin}`;
const REFERRALS = `http://${callers}/v1.0/engagements/referrals`;
const PATIENCE = 15_000;
const axe = readFileSync(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });

/** The page, open and live. Whatever it asks of anybody else fails, and whatever it complains of but what is expected. */
async function open({ width = 1280, colorScheme = 'light', expects = [] } = {}) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, locale: 'en-GB' });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.complaints = [];
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && page.complaints.push(message.text()));
  page.on('pageerror', (error) => page.complaints.push(error.message));
  page.on('request', (request) => request.url().startsWith(`${ADMIN}/`) || request.url().startsWith('data:') || page.complaints.push(`asks ${request.url()}`));
  page.finish = async () => {
    assert.deepEqual(page.complaints.filter((one) => !expects.some((expected) => one.includes(expected))), []);
    await context.close();
  };
  await page.goto(`${ADMIN}/`);
  await events(page, 2);
  return page;
}

/** Waits until so many more events have come. */
async function events(page, more) {
  const seen = await page.evaluate(() => Number(document.body.dataset.events ?? 0));
  await page.waitForFunction((wanted) => Number(document.body.dataset.events) >= wanted, seen + more, { timeout: PATIENCE });
}

async function send(body, { method = 'PATCH', partner = 'contoso', target = '/10000000-0000-4000-8000-000000000003' } = {}) {
  const headers = { Authorization: 'Bearer t0k3n-m4rk', 'Content-Type': 'application/json', 'X-Partner': partner };
  const answer = await fetch(REFERRALS + target, { method, headers, body: body && JSON.stringify(body) });
  return { status: answer.status, id: answer.headers.get('request-id'), text: await answer.text() };
}

const text = (page, selector) => page.locator(selector).innerText();
const becomes = (page, selector, wanted) => page.waitForFunction(
  ([selector, wanted]) => document.querySelector(selector)?.innerText.includes(wanted), [selector, wanted], { timeout: PATIENCE });

const NOTE = [{ op: 'replace', path: '/details/notes', value: 'n0t3-m4rk' }];
const REMOVE = [{ op: 'remove', path: '/id' }];
const state = (status, substatus) => [{ op: 'replace', path: '/status', value: status }, { op: 'replace', path: '/substatus', value: substatus }];

const scenarios = {
  async panels() {
    const page = await open();
    assert.equal(await text(page, '#ready'), 'ready');
    assert.equal(await text(page, '#policy'), 'partner-center-referrals');
    const status = await (await fetch(`${ADMIN}/status`)).json();
    assert.equal(await text(page, '#digest'), status.digest);
    assert.match(await text(page, '#refusal-rows'), /has ended no request/);
    assert.match(await text(page, '#codes'), /Nothing was refused/);
    for (let at = 0; at < 5; at += 1) assert.equal((await send(NOTE)).status, 204);
    assert.equal((await send(REMOVE)).status, 422);
    assert.equal((await send(state('Closed', 'Won'))).status, 204);
    assert.equal((await send(state('Closed', 'Lost'))).status, 409);
    await becomes(page, '#codes', 'transition-forbidden');
    const route = page.locator('#routes tr', { hasText: 'update-referral' });
    assert.match(await route.innerText(), /update-referral\s+8\s+[\d.]+\s+2\s+0\s+0/);
    assert.match(await text(page, '#p99'), /^[\d.,]+ (ms|µs)$/);
    assert.ok(Number(await text(page, '#connections-note').then((note) => note.match(/\d+/)[0])) >= 1);
    // The graph, with what went over its lines.
    await page.waitForFunction(() => document.querySelectorAll('.picture .count').length === 2, null, { timeout: PATIENCE });
    const counts = await page.locator('.picture .count').allTextContents();
    assert.deepEqual(counts.filter(Boolean).sort(), ['1 ✓', '1 ✗']);
    await page.click('#states summary');
    assert.match(await text(page, '#steps'), /Closed\/Won\s+Closed\/Lost\s+no\s+0\s+1/);
    assert.match(await text(page, '#steps'), /Active\/Accepted\s+Closed\/Won\s+yes\s+1\s+0/);
    // Partners, and what they have left.
    const partner = page.locator('#partner-rows tr', { hasText: 'contoso' });
    assert.match(await partner.innerText(), /contoso\s+gold\s+8/);
    assert.match(await partner.innerText(), /59\d of 600/);
    assert.equal(await text(page, '#api'), 'in use');
    assert.equal(await text(page, '#store'), 'none: this gateway counts alone');
    assert.match(await text(page, '#reloads'), /^0 taken, 0 refused$/);
    // What was is in the plots; what is shown as a rate is of the last second.
    await page.waitForFunction(() => document.querySelector('#rate').innerText === '0', null, { timeout: PATIENCE });
    for (const plot of ['rate', 'refused', 'latency', 'in-flight']) {
      const points = await page.getAttribute(`#plot-${plot} polyline`, 'points');
      assert.ok(points.split(' ').length >= 2, `${plot}: ${points}`);
    }
    await page.finish();
  },

  async refusal() {
    const page = await open();
    const refused = await send([...NOTE, ...REMOVE]);
    assert.equal(refused.status, 422);
    await becomes(page, '#refusal-rows', refused.id);
    const row = page.locator('#refusal-rows tr', { hasText: refused.id });
    assert.match(await row.innerText(), /contoso\s+update-referral\s+422/);
    assert.match(await row.innerText(), /op-forbidden the op is not among the allowed ones \(operations\)/);
    assert.equal((await send(undefined, { method: 'GET', target: '/../nowhere' })).status, 404);
    await becomes(page, '#refusal-rows', 'unrouted: ');
    // Its explanation, by keyboard, and back to where it was asked for.
    const code = row.getByRole('button', { name: 'op-forbidden' });
    await code.focus();
    await events(page, 2);
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'op-forbidden' });
    await dialog.waitFor();
    assert.match(await dialog.innerText(), /What to do/);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    assert.equal(await page.evaluate(() => document.activeElement.innerText), 'op-forbidden');
    // Nothing that was sent is shown.
    const shown = await page.content();
    for (const secret of ['n0t3-m4rk', 't0k3n-m4rk', '10000000-0000']) assert.ok(!shown.includes(secret), secret);
    await page.finish();
  },

  async reload() {
    const page = await open({ expects: ['status of 401', 'status of 422'] });
    const sound = readFileSync(path, 'utf8');
    const before = await text(page, '#digest');
    const faulty = `${sound}\n"mu<b>ch</b>": 1\n`;
    writeFileSync(path, faulty);
    const again = () => fetch(`${ADMIN}/reload`, { method: 'POST', headers: { Authorization: `Bearer ${'x'.repeat(40)}` } });
    assert.equal((await again()).status, 422);
    await becomes(page, '#fault-rows', 'gateway.yaml:');
    assert.match(await text(page, '#fault-rows'), /gateway\.yaml:\d+:\d+: unknown key mu<b>ch<\/b>/, 'text, and no element');
    assert.equal(await text(page, '#digest'), before);
    assert.match(await text(page, '#reloads'), /0 taken, 1 refused/);
    // Who has no token changes nothing.
    assert.ok(await page.isVisible('#change'));
    await page.fill('#token', 'wrong');
    await page.click('#change button[value=reload]');
    await becomes(page, '#changed', 'admin.token');
    assert.match(await text(page, '#reloads'), /0 taken, 1 refused/);
    writeFileSync(path, sound.replace('600/1h', '700/1h'));
    await page.fill('#token', 'x'.repeat(40));
    await page.click('#change button[value=reload]');
    await becomes(page, '#changed', 'reloaded; the digest is');
    await page.waitForSelector('#faults', { state: 'hidden' });
    await becomes(page, '#partner-rows', 'of 700');
    assert.notEqual(await text(page, '#digest'), before);
    const kept = await page.evaluate(() => [document.cookie, Object.keys(localStorage).length, location.href]);
    assert.deepEqual(kept, ['', 0, `${ADMIN}/`], 'the token is kept nowhere');
    page.once('dialog', (dialog) => dialog.accept());
    await page.click('#change button[value=drain]');
    await becomes(page, '#ready', 'draining');
    await page.finish();
  },

  async readOnly() {
    const page = await open({ expects: ['status of 403'] });
    assert.ok(await page.isHidden('#change') && await page.isVisible('#read-only'));
    const asked = (what, method) => page.evaluate(async ([what, method]) => (await fetch(what, { method, body: 'debug' })).status, [what, method]);
    assert.deepEqual([await asked('/reload', 'POST'), await asked('/drain', 'POST'), await asked('/loglevel', 'PUT')], [403, 403, 403]);
    assert.equal(await text(page, '#ready'), 'ready');
    // A page of another site: it may not read, change, listen, ask the judge, or put this one into a frame.
    const other = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end(`<iframe src="${ADMIN}/"></iframe>`));
    await new Promise((resolve) => other.listen(0, '127.0.0.1', resolve));
    const foreign = await (await browser.newContext()).newPage();
    await foreign.goto(`http://127.0.0.1:${other.address().port}/`);
    const read = await foreign.evaluate(async (admin) => {
      const tried = [['status', {}], ['explain', { method: 'POST', body: '{}' }], ['reload', { method: 'POST' }]];
      const told = [];
      for (const [what, options] of tried) told.push(await fetch(`${admin}/${what}`, options).then(() => 'read', () => 'not'));
      await fetch(`${admin}/drain`, { method: 'POST', mode: 'no-cors' });
      const events = new EventSource(`${admin}/events`);
      told.push(await new Promise((resolve) => { events.onerror = () => resolve('not'); events.onmessage = () => resolve('read'); }));
      return told;
    }, ADMIN);
    assert.deepEqual(read, ['not', 'not', 'not', 'not']);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const frame = foreign.frames().find((one) => one !== foreign.mainFrame());
    assert.ok(!(await frame.content()).includes('Try a patch'), 'it is not framed');
    other.close();
    await events(page, 1);
    assert.equal(await text(page, '#ready'), 'ready');
    assert.match(await text(page, '#reloads'), /^0 taken, 0 refused$/);
    await page.finish();
  },

  async tryIt() {
    const page = await open({ expects: ['status of 422'] });
    const judge = async (patch, current, ifMatch = '') => {
      await page.fill('#body', typeof patch === 'string' ? patch : JSON.stringify(patch));
      await page.fill('#current', current ?? '');
      await page.fill('#if-match', ifMatch);
      await page.evaluate(() => document.querySelector('#judgement').replaceChildren());
      await page.click('#question button');
      await page.waitForSelector('#judgement .pill');
      return text(page, '#judgement');
    };
    await page.selectOption('#route', 'update-referral');
    await page.selectOption('#partner', 'contoso');
    assert.match(await judge(NOTE), /^permitted/);
    const needs = await judge(state('Closed', 'Won'));
    assert.match(needs, /^needs the current state/);
    assert.match(needs, /transition\s+needs the current state: /);
    const refused = await judge(REMOVE);
    assert.match(refused, /^refused/);
    assert.match(refused, /op-forbidden \/id .*\n.*accepted: .*add.*\n.*partner-center-referrals\.yaml:\d+:\d+/);
    assert.match(refused, /operations\s+refuses\s+.*partner-center-referrals\.yaml:\d+:\d+/);
    const stored = readFileSync(path, 'utf8');
    assert.match(await judge(state('Closed', 'Won'), stored), /^permitted Active\/Accepted → Closed\/Won/);
    assert.match(await judge(state('New', 'Received'), stored), /transition-forbidden/);
    assert.match(await judge('{', stored), /body-not-json/);
    assert.match(await judge(NOTE, '{'), /^not judged the current document/);
    // What is chosen stays chosen, and nothing was counted.
    await events(page, 2);
    assert.equal(await page.inputValue('#partner'), 'contoso');
    const { routes } = await (await fetch(`${ADMIN}/status`)).json();
    assert.ok(routes.every((route) => route.requests === 0));
    await page.finish();
  },

  async looks() {
    await send(NOTE);
    await send(REMOVE);
    await send(state('Closed', 'Won'));
    await send(state('Closed', 'Lost'));
    for (const [name, options] of [['light', {}], ['dark', { colorScheme: 'dark' }], ['narrow', { width: 400 }], ['narrow-dark', { width: 400, colorScheme: 'dark' }]]) {
      const page = await open(options);
      await page.fill('#body', JSON.stringify(REMOVE));
      await page.click('#question button');
      await page.waitForSelector('#judgement .pill');
      await page.click('#states summary');
      const beyond = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(beyond <= 0, `${name}: ${beyond} pixels beyond`);
      const dark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).every((part) => Number(part) < 64));
      assert.equal(dark, name.includes('dark'), name);
      // The style of the pictures is there, though the page may hold none.
      const node = await page.evaluate(() => getComputedStyle(document.querySelector('.picture .node')).strokeWidth);
      assert.equal(node, '1.3px');
      await page.evaluate(() => scrollTo(0, 0));
      await page.screenshot({ path: `${name}.png`, fullPage: true });
      await page.evaluate(axe);
      const check = () => page.evaluate(async () => (await axe.run()).violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.target).join(' ')}`));
      assert.deepEqual(await check(), [], name);
      await page.click('#codes button');
      await page.getByRole('dialog').waitFor();
      assert.deepEqual(await check(), [], `${name}, with a dialog`);
      await page.finish();
    }
    // By keyboard alone, from the top: first what skips the way to the content.
    const page = await open();
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.innerText), 'Skip to the content');
    await page.finish();
  },

  async restart() {
    const page = await open({ expects: ['ERR_CONNECTION_REFUSED', 'ERR_INCOMPLETE_CHUNKED_ENCODING'] });
    await send(REMOVE);
    await becomes(page, '#codes', 'op-forbidden');
    console.log('stop');
    await lines.next();
    await becomes(page, '#ready', 'no answer');
    assert.match(await text(page, '#banner'), /^The gateway does not answer; what is shown is from /);
    assert.match(await text(page, '#codes'), /op-forbidden/, 'what was seen stays');
    console.log('start');
    await lines.next();
    await becomes(page, '#ready', 'ready');
    await events(page, 2);
    assert.ok(await page.isHidden('#banner'));
    assert.match(await text(page, '#codes'), /Nothing was refused/, 'it is the new one');
    const rate = Number((await text(page, '#rate')).replace(/[^\d.]/g, ''));
    assert.ok(rate >= 0 && rate < 100, `${rate}`);
    assert.equal((await send(REMOVE)).status, 422);
    await becomes(page, '#codes', 'op-forbidden');
    await page.finish();
  },
};

try {
  await scenarios[scenario]();
  console.log('done');
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await browser.close();
  process.stdin.destroy();
}
