import { FactlineError, type HttpDocument, httpFailure, httpGet } from '../../foundation/index.ts';
import type { FoundDocument } from '../json-schema/embed-documents.ts';

export interface RemoteDocumentsOptions {
  /** What addresses may begin with: `https://schemas.example.com/orders`, in whole parts of the path. Plain http only of this machine. */
  readonly from: readonly string[];
  /** For each document, in milliseconds, redirects included. Default: 5,000. */
  readonly timeoutMs?: number;
  /** Of each document. Default: 10 MB. */
  readonly bytesMax?: number;
  /** Ends what is under way. */
  readonly signal?: AbortSignal;
}

const redirectsMax = 5;
const machineItself: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];
const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * The documents that schemas may refer to, each fetched when it is first asked for, and only once.
 * @example
 * const documents = new RemoteDocuments({ from: ['https://schemas.example.com/'] })
 * const { compatible } = await compare(await fetchReferences(request, documents))
 */
export class RemoteDocuments {
  readonly #options: Required<Omit<RemoteDocumentsOptions, 'signal'>>;
  readonly #signal: AbortSignal | undefined;
  readonly #prefixes: readonly URL[];
  readonly #documents = new Map<string, Promise<FoundDocument>>();

  /** @throws FactlineError OPTION_INVALID */
  constructor({ from, timeoutMs = 5_000, bytesMax = 10 * 1_048_576, signal }: RemoteDocumentsOptions) {
    this.#prefixes = from.map(prefixOf);
    this.#options = { from, timeoutMs, bytesMax };
    this.#signal = signal;
  }

  /** @throws FactlineError SCHEMA_FETCH_NOT_ALLOWED, SCHEMA_FETCH_FAILED, STOPPED */
  find(address: string): Promise<FoundDocument> {
    const document = this.#documents.get(address) ?? this.#fetch(address);
    this.#documents.set(address, document);
    return document;
  }

  async #fetch(address: string): Promise<FoundDocument> {
    if (!this.#allows(address)) throw this.#notAllowed('A reference', address);
    const { url, status, redirect, bytes } = await this.#ask(address);
    if (redirect !== undefined && !this.#allows(redirect))
      throw this.#notAllowed(`The redirect of ${url}`, redirect);
    if (redirect !== undefined) throw failed(address, `it is redirected more than ${redirectsMax} times`);
    if (status !== 200) throw failed(address, `the answer is ${status} and not 200`);
    if (bytes === undefined) throw failed(address, `it has more than ${this.#options.bytesMax} bytes`);
    return { url, text: jsonText(address, bytes) };
  }

  async #ask(address: string): Promise<HttpDocument> {
    const { timeoutMs, bytesMax } = this.#options;
    const mayVisit = (url: string): boolean => this.#allows(url);
    try {
      return await httpGet({
        url: address,
        timeoutMs,
        bytesMax,
        redirectsMax,
        mayVisit,
        signal: this.#signal,
      });
    } catch (error) {
      if (this.#signal?.aborted)
        throw new FactlineError('STOPPED', { unit: 'The comparison', operation: `fetching ${address}` });
      throw failed(address, httpFailure(error, timeoutMs), error);
    }
  }

  #allows(url: string): boolean {
    const { origin, pathname } = new URL(url);
    return this.#prefixes.some(
      (prefix) => origin === prefix.origin && `${pathname}/`.startsWith(prefix.pathname),
    );
  }

  #notAllowed(origin: string, url: string): FactlineError {
    const allowed = this.#options.from.join(', ');
    return new FactlineError('SCHEMA_FETCH_NOT_ALLOWED', { origin, url, allowed });
  }
}

/** The path ends with a slash: `/orders` is not the beginning of `/orders-of-others`. */
const prefixOf = (text: string): URL => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isSafe =
    url?.protocol === 'https:' || (url?.protocol === 'http:' && machineItself.includes(url.hostname));
  if (url === undefined || !isSafe || url.origin + url.pathname !== url.href) {
    const expected =
      'the beginning of an https address (http only of localhost), such as https://schemas.example.com/';
    throw new FactlineError('OPTION_INVALID', { option: '--fetch', expected, actual: text });
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
};

const jsonText = (url: string, bytes: Uint8Array): string => {
  try {
    const text = decoder.decode(bytes);
    JSON.parse(text);
    return text;
  } catch (error) {
    throw failed(url, `it is not JSON: ${(error as Error).message}`, error);
  }
};

const failed = (url: string, reason: string, cause?: unknown): FactlineError =>
  new FactlineError('SCHEMA_FETCH_FAILED', { url, reason }, { cause });
