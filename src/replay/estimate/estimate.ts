/** A number that was predicted: what is likely, and between what it lies in 95 of 100 cases. */
export interface Predicted {
  readonly likely: number;
  readonly low: number;
  readonly high: number;
}

/** Between what an estimated number lies in 95 of 100 cases. */
export type Within = Omit<Predicted, 'likely'>;

/** What the selection holds: counted, or of a long log estimated from a sample of it. */
export interface SelectionProfile {
  readonly events: number;
  /** Null: it was counted, and so were the types. */
  readonly eventsWithin: Within | null;
  readonly excludedBecause: Readonly<Record<string, number>>;
  /** `exact: false`: at least so many. */
  readonly keys: { readonly count: number; readonly exact: boolean };
  /** Most events first; at most 20. */
  readonly hottestKeys: readonly { readonly key: string; readonly events: number }[];
  readonly types: readonly SelectedType[];
  readonly firstRecordedAt: string | null;
  readonly lastRecordedAt: string | null;
  /** Recorded before the consumer began: they were never handled. */
  readonly beforeStart: number;
  /** Of what waits in quarantine: later events of its keys that wait behind it and go on with it. */
  readonly followers: number;
}

export interface SelectedType {
  readonly type: string;
  readonly events: number;
  /** Of payload, as they are stored. */
  readonly bytes: number;
  /** Null: they were counted. */
  readonly eventsWithin: Within | null;
  /** Null: they were counted. Else it holds as far as no payload is much larger than those in the sample. */
  readonly bytesWithin: Within | null;
}

/** What followed from events of these types when they were handled: observed, and taken times the selection. */
export interface FanOut {
  /** How many handled events it rests on; with 0 nothing is known. */
  readonly observed: number;
  readonly derived: readonly {
    readonly type: string;
    readonly perEvent: number;
    /** 95 of 100 events had at most so many. */
    readonly perEventHigh: number;
    readonly predicted: Predicted;
    /** Consumers that read it. */
    readonly consumers: readonly string[];
  }[];
  readonly effects: readonly EffectEstimate[];
}

export interface EffectEstimate {
  readonly name: string;
  /** Selected events with a recorded result of it. */
  readonly recorded: number;
  /** Selected events of which it is not known whether it happened. */
  readonly unknown: number;
  readonly perEvent: number;
  /** If it were executed for the whole selection. */
  readonly predicted: Predicted;
}

/** A sample of the selection, handled by the current code in transactions that were rolled back, effects closed. */
export interface SampleRun {
  readonly events: number;
  /** How many were meant to be; fewer were when time was up. */
  readonly wanted: number;
  readonly outcomes: Readonly<Record<'would-change' | 'no-op' | 'effect-attempted' | 'error', number>>;
  /** Shares of all events, by Wilson's interval. */
  readonly errorRate: Predicted;
  readonly errors: readonly {
    readonly fingerprint: string;
    readonly code: string;
    readonly message: string;
    readonly events: number;
  }[];
  readonly effects: Readonly<Record<string, number>>;
  readonly meanMs: number;
}

/** The blast radius: what a person has to know before saying yes. */
export interface BlastRadius {
  readonly events: number;
  /** Null: they were counted. Missing in what was stored before there were estimates of it. */
  readonly eventsWithin?: Within | null;
  readonly keys: { readonly count: number; readonly exact: boolean };
  readonly consumers: { readonly direct: string; readonly derived: readonly string[] };
  readonly effects: readonly {
    readonly name: string;
    readonly policy: 'skip' | 'reuse' | 'execute';
    readonly text: string;
  }[];
  /** What can't be taken back; null: everything can. */
  readonly irreversible: string | null;
  /** Promises of consumers that this may hold up. */
  readonly promises: readonly { readonly consumer: string; readonly handledWithinMs: number }[];
  /** Null: a rebuild goes as fast as live consumers let it. */
  readonly durationSeconds: { readonly atCeiling: number; readonly likely: number } | null;
  readonly unreplayable: readonly { readonly why: string; readonly events: number }[];
  /** What a person should look at before approving. */
  readonly warnings: readonly string[];
}

export interface ReplayEstimate {
  /** ISO 8601, by the database's clock. */
  readonly at: string;
  readonly profile: SelectionProfile;
  readonly fanOut: FanOut;
  /** Null: none was run, for the reason given. */
  readonly sample: SampleRun | null;
  readonly noSample: string | null;
  readonly blastRadius: BlastRadius;
}
