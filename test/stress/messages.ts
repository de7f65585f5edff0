/** What the processes of a run tell the auditor. */
export type StressMessage =
  | { readonly kind: 'ready' }
  /** A reader has delivered these positions, in this order; everything up to `upTo` is behind it. */
  | {
      readonly kind: 'delivered';
      readonly reader: string;
      readonly positions: readonly number[];
      readonly upTo: number;
    }
  /** A writer's COMMIT was acknowledged. */
  | { readonly kind: 'acknowledged'; readonly positions: readonly number[] }
  /** Something that a sound reader must never see. */
  | { readonly kind: 'alarm'; readonly reader: string; readonly text: string };

export const tell = (message: StressMessage): void => {
  process.send?.(message);
};

/** What a process was started for: one JSON argument. */
export interface ProcessTask {
  readonly url: string;
  readonly seed: number;
  /** The readers to run in this process, and where each goes on. */
  readonly readers?: readonly { readonly name: string; readonly after: number }[];
  /** Of a writer: how many connections. */
  readonly connections?: number;
  /** Of a writer: 'grants' keeps to what a role without rights on positions can do. */
  readonly repertoire?: 'everything' | 'grants';
}

export const task = (): ProcessTask => JSON.parse(process.argv[2] ?? '{}') as ProcessTask;
