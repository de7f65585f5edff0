/** What a worker is told. */
export interface WorkerOptions {
  readonly database: string;
  readonly outsideUrl: string;
  /** A file to which it writes what it does when. */
  readonly timeline?: string;
}

/** The exit code of a worker that could not start: the server is being restarted. */
export const cannotStart = 3;
