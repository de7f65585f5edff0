export interface HttpPost {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** In milliseconds, until the whole answer is there. */
  readonly timeoutMs: number;
}

export interface HttpAnswer {
  readonly status: number;
  /** The beginning of the body. */
  readonly text: string;
}

const textMax = 500;

/**
 * One POST. Redirects are not followed: what was signed for one place is not handed to another.
 * Rejects when there is no answer in time.
 */
export const httpPost = async ({ url, headers, body, timeoutMs }: HttpPost): Promise<HttpAnswer> => {
  const answer = await fetch(url, {
    method: 'POST',
    headers,
    body,
    redirect: 'manual',
    signal: AbortSignal.timeout(timeoutMs),
  });
  return { status: answer.status, text: (await answer.text()).slice(0, textMax) };
};
