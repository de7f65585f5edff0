import type { FactEvent } from '../../contracts/index.ts';
import { type Clock, keyHash } from '../../foundation/index.ts';
import { type InjectionKind, pointName } from './injection.ts';
import type { Instruments } from './instrument.ts';
import type { Probe } from './probe.ts';

export interface RunInstrumentsOptions {
  readonly probe: Probe;
  /** Points of each key by itself. */
  readonly everywhere: boolean;
  /** Null: nothing is held up. */
  readonly reorderingSeed: string | null;
  readonly clock: Clock;
}

/** An event is held up for at most this long. */
const dawdleMsMax = 12;

/** What all lives of one run share: names, and what was seen. */
export class RunInstruments {
  readonly #options: RunInstrumentsOptions;
  /** By handler, type and key: the events in the order of their first delivery. */
  readonly #events = new Map<string, string[]>();
  /** Compensations that the saga has. */
  readonly declared = new Set<string>();
  /** What the outside world answered to the effects of an event, by `answerPlace`. */
  readonly answers = new Map<string, unknown>();

  constructor(options: RunInstrumentsOptions) {
    this.#options = options;
  }

  /** @param die ends the life whose code is instrumented */
  of(die: () => Promise<void>): Instruments {
    const { probe, everywhere } = this.#options;
    const passage = (site: string, subject: string) => ({
      site,
      reach: (point: string, kinds: readonly InjectionKind[], work?: string) =>
        probe.reach({
          point: { site, name: pointName(site, point), kinds },
          work: work === undefined ? undefined : `${site} ${subject} ${work}`,
          die,
        }),
    });
    return {
      handling: (handler, event) => ({
        ...passage(this.#handlerSite(handler, event), event.id),
        answered: (effect, answer) => void this.answers.set(answerPlace(handler, event.id, effect), answer),
      }),
      running: (workflow, key) => ({
        ...passage(everywhere ? `${workflow} ${key}` : workflow, key),
        answered: () => {},
      }),
      declared: (point) => void this.declared.add(point),
      dawdle: (handler, event) => this.#dawdle(handler, event),
    };
  }

  #handlerSite(handler: string, { type, key, id }: FactEvent): string {
    const site = pointName(handler, type);
    if (!this.#options.everywhere) return site;
    const place = `${site} ${key}`;
    const events = this.#events.get(place) ?? [];
    this.#events.set(place, events);
    if (!events.includes(id)) events.push(id);
    const number = events.indexOf(id) + 1;
    return number === 1 ? place : `${place} (${number})`;
  }

  async #dawdle(handler: string, { type, key }: FactEvent): Promise<void> {
    const { reorderingSeed, clock } = this.#options;
    if (reorderingSeed === null) return;
    const chance = (keyHash(`${reorderingSeed} ${handler} ${type} ${key}`) >>> 0) / 2 ** 32;
    await clock.sleep(Math.floor(chance * (dawdleMsMax + 1)));
  }
}

export const answerPlace = (handler: string, eventId: string, effect: string): string =>
  `${handler} ${eventId} ${effect}`;
