import { createHash } from 'node:crypto';
import { canonicalJson, type Json } from '../../foundation/index.ts';
import type { ContractFacts, LockedSchema } from './lock.ts';

/** SHA-256 of canonical JSON: the order of members does not count. */
export const digestOf = (value: unknown): string =>
  `sha256-${createHash('sha256').update(canonicalJson(value)).digest('hex')}`;

export const lockSchema = (format: LockedSchema['format'], output: Json, input: Json): LockedSchema => ({
  format,
  output,
  input,
  outputDigest: digestOf(output),
  inputDigest: digestOf(input),
});

/** Covers everything that the owner declares, so that an approval of it cannot be carried over to anything else. */
export const contractDigest = (facts: ContractFacts): string =>
  digestOf({
    kind: facts.kind,
    key: facts.key,
    owner: facts.owner,
    ordering: facts.ordering,
    retention: facts.retention,
    compatibility: facts.compatibility,
    policy: facts.policy,
    highImpact: facts.highImpact,
    sensitivity: [...facts.sensitivity],
    producers: facts.producers,
    deprecated: facts.deprecated,
    // Left out where there are none, so that digests of events are those of earlier releases.
    ...(facts.replies.length === 0 ? {} : { replies: facts.replies }),
    schemas: facts.schemas.map(({ format, outputDigest, inputDigest }) => ({
      format,
      outputDigest,
      inputDigest,
    })),
  });
