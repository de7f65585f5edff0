/** Why there was no answer: `fetch` hides the reason below its error. Never the address: it may be a secret. */
export const httpFailure = (error: unknown, timeoutMs: number): string => {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? (error.cause as Error & { code?: string }) : null;
  if (cause !== null) return cause.code ?? cause.message;
  return error.name === 'TimeoutError' ? `no answer within ${timeoutMs / 1_000} s` : error.message;
};
