export interface HttpGet {
  readonly url: string;
  /** In milliseconds, until the whole answer is there, that of the last redirect. */
  readonly timeoutMs: number;
  readonly bytesMax: number;
  readonly redirectsMax: number;
  /** Whether a redirect may be followed to there. */
  readonly mayVisit: (url: string) => boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpDocument {
  /** Where the answer came from. */
  readonly url: string;
  readonly status: number;
  /** Where a redirect leads that was not followed. */
  readonly redirect?: string;
  /** Only of status 200, and only if there are no more than allowed. */
  readonly bytes?: Uint8Array;
}

/** One GET, with its redirects as far as they may be followed. Rejects when there is no answer in time, or `signal` aborts. */
export const httpGet = async (request: HttpGet): Promise<HttpDocument> => {
  const deadline = AbortSignal.timeout(request.timeoutMs);
  const signal = request.signal === undefined ? deadline : AbortSignal.any([deadline, request.signal]);
  let { url } = request;
  for (let left = request.redirectsMax; ; left -= 1) {
    const answer = await fetch(url, { redirect: 'manual', signal });
    const { status, body } = answer;
    if (status === 200) {
      const bytes = await bytesOf(body, request.bytesMax);
      return { url, status, ...(bytes && { bytes }) };
    }
    await body?.cancel();
    const redirect = redirectOf(answer, url);
    if (redirect === undefined) return { url, status };
    if (left === 0 || !request.mayVisit(redirect)) return { url, status, redirect };
    url = redirect;
  }
};

/** What is more than allowed is not even received. */
const bytesOf = async (body: Response['body'], bytesMax: number): Promise<Uint8Array | undefined> => {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of body ?? []) {
    length += part.length;
    if (length > bytesMax) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts);
};

const redirectOf = ({ status, headers }: Response, url: string): string | undefined => {
  const location = headers.get('location');
  const leadsOn = [301, 302, 303, 307, 308].includes(status);
  return leadsOn && location !== null && URL.canParse(location, url)
    ? new URL(location, url).href
    : undefined;
};
