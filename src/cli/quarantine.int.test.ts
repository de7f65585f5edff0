import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProject, type Project, type Ran, runWords } from '../../test/command-line.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { internals } from '../app/index.ts';

/* docs/quarantine.md is walked through, but for its runbooks: test/runbooks/quarantine.int.test.ts walks those on the order pipeline. */

const shop = `
import { createFactline, defineEvent, defineHandler, PermanentError } from 'factline'
import { z } from 'zod'
const schema = z.object({ orderId: z.string(), mode: z.string(), note: z.string(), email: z.string() })
const terms = { key: 'orderId', editable: ['note'], sensitivity: { email: 'personal' } }
const OrderPlaced = defineEvent({ ...terms, type: 'shop.order.placed.v1', schema, owner: 'checkout' })
globalThis.triageShop = { repaired: new Set() }
const failures = {
  dependency: () => Object.assign(new Error('too many requests'), { status: 429 }),
  invariant: () => new PermanentError('the note does not fit'),
  poison: () => new TypeError('x is not a function \\u001b[2J\\u009b2J'),
}
const payment = defineHandler({
  name: 'payment', on: [OrderPlaced], startAt: 'beginning',
  repairs: { 'refund-instead': async ({ data }, { transaction }) => transaction(async (tx) => { tx.publish(Subscribed({ email: data.orderId + '@refunds' })) }) },
  retry: { transient: { attempts: 1 }, unclassified: { attempts: 1 } },
  handle: async ({ data }) => {
    if (data.mode === 'invariant' && data.note === 'gift') return
    if (!globalThis.triageShop.repaired.has(data.mode) && failures[data.mode]) throw failures[data.mode]()
  },
})
export { OrderPlaced }
const Subscribed = defineEvent({ type: 'shop.letter.subscribed.v1', key: 'email', schema: z.object({ email: z.string() }), sensitivity: { email: 'personal' } })
const letters = defineHandler({
  name: 'letters', on: [Subscribed], startAt: 'beginning', onReplay: 'skip',
  handle: async ({ data }) => {
    throw new PermanentError('no letters to ' + data.email, { cause: new Error('550 <' + data.email.toUpperCase() + '> is unknown') })
  },
})
export { Subscribed }
const roles = { ada: ['operator', 'steward', 'auditor'], vic: ['viewer'] }
export const app = createFactline({ name: 'shop', database: process.env.TRIAGE_TEST_URL, consumers: [payment, letters], handleSignals: false, roles })
`;
interface Shop {
  readonly app: {
    publish(drafts: unknown): Promise<unknown>;
    start(): Promise<void>;
    stop(): Promise<void>;
  };
  readonly OrderPlaced: (data: object) => unknown;
  readonly Subscribed: (data: object) => unknown;
}

/** The modes whose cause is gone; the handlers of every copy of the app look at it. */
const repaired = (): Set<string> =>
  (globalThis as unknown as { triageShop: { repaired: Set<string> } }).triageShop.repaired;

let project: Project;
let own: TestDatabase;
let running: Shop;

beforeAll(async () => {
  project = createProject('shop');
  own = await createTestDatabase();
  process.env['TRIAGE_TEST_URL'] = own.url;
  project.write('factline.config.ts', shop);
  project.write('mend.json', JSON.stringify([{ op: 'replace', path: '/note', value: 'gift' }]));
  running = (await import(path.join(project.directory, 'factline.config.ts'))) as Shop;
  await running.app.start();
}, 60_000);
afterAll(async () => {
  await running.app.stop();
  project.remove();
  await own.drop();
});

const cli = (words: string, actor = 'ada'): Promise<Ran> =>
  runWords(words, { directory: project.directory, environment: { FACTLINE_ACTOR: actor } });
const json = async (words: string): Promise<Record<string, never>> =>
  JSON.parse((await cli(`${words} --json`)).out);

const order = (mode: string, index = 0): unknown =>
  running.OrderPlaced({ orderId: `${mode}${index}`, mode, note: 'bad', email: 'ada@x.org' });

interface Found {
  readonly group: number;
  readonly id: number;
}

/** The group of that disposition, and the first event in it. */
const found = async (disposition: string): Promise<Found> => {
  let group: number | undefined;
  await expect
    .poll(
      async () => {
        const { groups } = (await json('quarantine groups')) as {
          groups?: { id: number; disposition: string }[];
        };
        group = groups?.find((each) => each.disposition === disposition)?.id;
        return group;
      },
      { timeout: 20_000 },
    )
    .toBeTypeOf('number');
  const { events } = (await json(`quarantine list --group ${group}`)) as { events?: { id: number }[] };
  return { group: group ?? 0, id: events?.[0]?.id ?? 0 };
};

/** The commands of a section of the page. */
const commandsOf = (heading: string): readonly string[] => {
  const page = readFileSync(new URL('../../docs/quarantine.md', import.meta.url), 'utf8');
  const section = page.split(/^#+ /m).find((each) => each.startsWith(`${heading}\n`)) ?? '';
  const lines = [...section.matchAll(/^```sh\n([\s\S]*?)^```/gm)].flatMap(([, text = '']) =>
    text.trim().split('\n'),
  );
  return lines.map((line) => line.replace(/^npx factline /, ''));
};

const repair = (mode: string): void => {
  repaired().add(mode);
};

/** Runs them in order; the cause is repaired before something is tried again. Each must end with 0. */
const walk = async (heading: string, { group, id }: Found, mode = heading): Promise<string> => {
  const commands = commandsOf(heading);
  expect(commands.length, `commands of "${heading}"`).toBeGreaterThan(0);
  let output = '';
  for (const command of commands) {
    if (/^quarantine (?:release|retry)/.test(command)) repair(mode);
    const ran = await cli(command.replace('GROUP', String(group)).replace(' ID', ` ${id}`));
    expect({ command, ...ran }).toMatchObject({ code: 0 });
    output += `${ran.out}\n${ran.err}\n`;
  }
  return output;
};

describe('the other sections', () => {
  it('are walked through: looking, deciding, giving up and taking back', async () => {
    repaired().clear();
    await running.app.publish([order('invariant', 7), order('poison', 8)]);
    const rule = await found('invariant');
    const seen = await walk('See what it is about', rule, 'nothing');
    expect(seen).toContain('checkout');
    expect(seen).toContain('"email": "(personal)"');
    expect(seen).not.toContain('ada@x.org');
    await walk('Give an event up, and take that back', rule);
    expect((await json(`quarantine groups ${rule.group}`)) as unknown).toMatchObject({
      groups: [{ assignedTo: 'ada', events: 1, notes: expect.any(Number) }],
      notes: [{ author: 'ada', text: 'the provider confirms an outage' }],
    });
    await walk('Mend a payload', rule);
    await walk('Try a group again', await found('poison'), 'poison');
  }, 60_000);

  it('every command of the page is one', () => {
    const page = readFileSync(new URL('../../docs/quarantine.md', import.meta.url), 'utf8');
    const headings = [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading);
    const inBlocks = headings.flatMap(commandsOf);
    expect(inBlocks).toHaveLength([...page.matchAll(/^npx factline /gm)].length);
  });
});

describe('a release', () => {
  it('goes on without the command that asked for it, and ends when somebody says so', async () => {
    repaired().clear();
    await running.app.publish([1, 2, 3, 4].map((index) => order('dependency', 20 + index)));
    const { group } = await found('dependency');
    const asked = await cli(`quarantine release --group ${group} --canary 0 --rate 1 --no-wait`);
    expect(asked).toMatchObject({ code: 0, out: expect.stringContaining('releasing: 0 of 4 handled') });
    expect((await cli(`quarantine release --group ${group}`, 'ada')).err).toContain(
      'is being released already',
    );
    repair('dependency');
    const { releases } = (await json('quarantine releases')) as { releases?: { id: number }[] };
    expect((await cli(`quarantine stop ${releases?.[0]?.id}`)).out).toContain('cancelled by ada');
    await cli(`quarantine release --group ${group} --canary 1 --no-wait`);
    await expect
      .poll(async () => (await cli('quarantine releases')).out.split('\n')[0], { timeout: 20_000 })
      .toMatch(/^✓ .* done: \d of \d handled$/);
    expect((await json(`quarantine groups ${group}`)) as unknown).toMatchObject({ groups: [{ events: 0 }] });
  }, 60_000);
});

describe('what may be shown and done', () => {
  it('hides what is sensitive, reveals it on record to those who may, and lets others only look', async () => {
    repaired().clear();
    await running.app.publish([order('invariant', 9)]);
    const { group, id } = await found('invariant');
    expect((await cli(`quarantine show ${id} --json`, 'vic')).out).not.toContain('ada@x.org');
    expect((await cli(`quarantine show ${id} --reveal --reason audit`)).out).toContain('ada@x.org');
    for (const act of [
      `quarantine show ${id} --reveal`,
      `quarantine release --group ${group}`,
      `quarantine retry ${id}`,
      `quarantine edit ${id} --patch @mend.json --reason x`,
      `quarantine discard ${id} --reason x --by vic`,
      `quarantine assign ${group} vic`,
      `quarantine note ${group} x`,
      `quarantine snooze ${group}`,
    ])
      expect(await cli(act, 'vic'), act).toMatchObject({
        code: 1,
        err: expect.stringContaining('vic may not do quarantine.'),
      });
    const { rows } = (await json('audit list --act quarantine')) as {
      rows?: { act: string; decision: string; actor: string }[];
    };
    const lines = (rows ?? []).map(({ act, decision, actor }) => `${actor} ${act} ${decision}`);
    expect(lines).toEqual(
      expect.arrayContaining(['ada quarantine.reveal done', 'vic quarantine.release denied']),
    );
  }, 60_000);

  it('hides a key that is made of a sensitive field, and its value in whatever errors say, everywhere', async () => {
    const told: unknown[] = [];
    const forget = internals(running.app).telemetry.listen((event) => void told.push(event.fields));
    await running.app.publish(running.Subscribed({ email: 'grace@x.org' }));
    await expect
      .poll(async () => (await cli('quarantine list --consumer letters')).out, { timeout: 20_000 })
      .toContain('(personal)');
    const { events } = (await json('quarantine list --consumer letters')) as {
      events?: { id: number; position: number }[];
    };
    const id = events?.[0]?.id;
    const looks = [
      'quarantine list --consumer letters',
      'quarantine list --consumer letters --json',
      `quarantine show ${id}`,
      `quarantine show ${id} --json`,
      `quarantine show ${id} --stack`,
      'quarantine groups',
      'quarantine groups --json',
      'events tail',
      'events tail --json',
      `events show ${events?.[0]?.position}`,
      `events show ${events?.[0]?.position} --json`,
      `quarantine retry ${id}`,
      `quarantine retry ${id} --json`,
      'status --json',
    ];
    const shown = async (words: string): Promise<string> => {
      const { out, err } = await cli(words);
      return (out + err).toLowerCase();
    };
    for (const words of looks) expect(await shown(words), words).not.toContain('grace');
    expect(await shown(`quarantine show ${id}`)).toContain('no letters to (personal)');
    expect(JSON.stringify(told).toLowerCase()).not.toContain('grace');
    forget();
    expect(await shown(`events show ${events?.[0]?.position} --reveal`)).toContain('grace@x.org');
    expect((await cli(`events show ${events?.[0]?.position} --reveal`, 'vic')).err).toContain('steward');
    expect((await cli(`quarantine show ${id} --reveal`)).out).toContain('email=grace@x.org');
    await cli(`quarantine discard ${id} --reason "no longer sent" --by ada`);
    for (const words of ['quarantine list --discarded', 'quarantine list --discarded --json'])
      expect((await cli(words)).out, words).not.toContain('grace');
    // It counts as dealt with now, so it can be replayed: plan, estimate with its sample, and report hide it as well.
    const planned = await shown(
      'replay plan letters --key email=grace@x.org --to head --reason "letters were lost on Monday" --json',
    );
    const replay = (JSON.parse(planned) as { id: number }).id;
    for (const words of [
      `estimate ${replay}`,
      `show ${replay}`,
      `show ${replay} --json`,
      `report ${replay} --json`,
    ])
      expect(await shown(`replay ${words}`), words).not.toContain('grace');
    expect(planned).not.toContain('grace');
    expect(await shown('audit list --json')).not.toContain('grace');
  }, 60_000);

  it('steers no terminal with what errors say', async () => {
    repaired().clear();
    await running.app.publish([order('poison', 10)]);
    const { group, id } = await found('poison');
    for (const words of [
      'quarantine groups',
      `quarantine groups ${group}`,
      'quarantine list',
      `quarantine show ${id} --stack`,
      'quarantine groups --json',
      `quarantine show ${id} --json`,
      'quarantine releases',
      'quarantine releases --json',
    ]) {
      const { out } = await cli(words);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these must not come through
      expect(out.replaceAll('\n', ''), words).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
    }
    expect(JSON.parse((await cli(`quarantine show ${id} --json`)).out).errorMessage).toContain('\u009b2J');
  }, 60_000);

  it('hands events to a repair that their handler declares, one and a whole group, on record', async () => {
    repaired().clear();
    await running.app.publish([order('invariant', 20), order('invariant', 21), order('invariant', 22)]);
    const { group } = await found('invariant');
    let events: { id: number; key: string }[] = [];
    await expect
      .poll(
        async () => {
          ({ events = [] } = (await json(`quarantine list --group ${group}`)) as { events?: typeof events });
          return events.map(({ key }) => key);
        },
        { timeout: 20_000 },
      )
      .toEqual(expect.arrayContaining(['orderId=invariant20', 'orderId=invariant21', 'orderId=invariant22']));
    const others = events.length - 1;
    const id = events[0]?.id;
    for (const [words, said] of [
      [`quarantine redirect ${id} --to refund-instead`, '--reason'],
      [`quarantine redirect ${id} --to refnd --reason x`, 'a repair that payment declares (refund-instead)'],
      [`quarantine redirect ${id} --reason x`, 'either --to REPAIR or --back'],
      ['quarantine redirect --to refund-instead --reason x', 'either numbers of events or --group'],
    ] as const)
      expect((await cli(words)).err, words).toContain(said);
    const one = await cli(`quarantine redirect ${id} --to refund-instead --reason "the shop has closed"`);
    expect(one).toMatchObject({ code: 0, out: expect.stringContaining('handled') });
    const rest = await cli(
      `quarantine redirect --group ${group} --to refund-instead --reason "the shop has closed"`,
    );
    expect(rest).toMatchObject({ code: 0, out: expect.stringContaining(`${others} handled`) });
    const { rows } = (await json('audit list')) as { rows?: { act: string; details: object }[] };
    const acts = rows?.filter(({ act }) => act === 'quarantine.redirect') ?? [];
    expect(acts.map(({ details }) => details)).toEqual([
      expect.objectContaining({ repair: 'refund-instead', selected: others }),
      { repair: 'refund-instead' },
    ]);
    const { out } = await cli('events tail --type shop.letter.subscribed.v1 --reveal');
    expect(out.match(/@refunds/g)?.length).toBeGreaterThanOrEqual(3);
  }, 60_000);

  it('refuses what makes no sense before anything happens', async () => {
    for (const [words, said] of [
      ['quarantine release', 'either numbers of events or --group'],
      ['quarantine release 1 --group 1', 'either numbers of events or --group'],
      ['quarantine release --group x', 'a number from `quarantine groups`'],
      ['quarantine release --group 1 --rate 0', 'a whole number from 1 to 500'],
      ['quarantine release --group 999', 'There is no group 999'],
      ['quarantine groups 999', 'There is no group 999'],
      ['quarantine stop 999', 'There is no release 999 under way'],
      ['quarantine assign 1', 'either a name or --nobody'],
      ['quarantine assign 1 ada --nobody', 'either a name or --nobody'],
      ['quarantine snooze 1 --for 15d', 'at most 14d'],
      ['quarantine edit 1', 'a JSON Patch, or @FILE'],
      ['quarantine edit 1 --patch @missing.json --reason x', 'JSON, or a file that can be read'],
      ['quarantine edit 1 --patch [] --reason x', 'a list of 1 to 100 operations'],
      ['quarantine edit 1 --patch @mend.json', '--reason'],
      ['quarantine restore 999', 'no parked event with the number 999'],
    ])
      expect(await cli(words ?? ''), words).toMatchObject({ err: expect.stringContaining(said ?? '') });
  }, 60_000);
});
