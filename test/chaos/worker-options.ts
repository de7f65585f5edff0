/** What a worker is told. */
export interface WorkerOptions {
  readonly database: string;
  readonly outsideUrl: string;
}

/** The exit code of a worker that could not start: the server is being restarted. */
export const cannotStart = 3;
