/** What a worker is told. */
export interface WorkerOptions {
  readonly database: string;
  readonly outsideUrl: string;
  /** A file to which it writes what it does when. */
  readonly timeline?: string;
}
