import type { Json } from '../../foundation/index.ts';
import type { ComparePolicy, SchemaFormat } from './comparison.ts';
import type { ComparisonMode } from './comparison-mode.ts';

export interface CompareRequest {
  readonly format: SchemaFormat;
  readonly mode: ComparisonMode;
  /** Only JSON Schema makes a difference. Default: strict. */
  readonly policy?: ComparePolicy;
  /** Of JSON Schema. Default: what `$schema` says, else 2020-12. */
  readonly draft?: string;
  /** Of Avro: other decimals, time units and the like are breaking; false is what Apache's own check does. Default: true. */
  readonly logicalTypes?: boolean;
  /** The newest earlier schema: its text, or (JSON Schema, Avro) the parsed schema. Protobuf: may be left out when there are files. */
  readonly old?: Json;
  readonly new?: Json;
  /** Versions before `old`, the oldest first. Of Protobuf each is a text, or an object of path to text. */
  readonly history?: readonly Json[];
  /** Protobuf: the text of each file by its path, for what `old` imports, or in its place. */
  readonly oldFiles?: Readonly<Record<string, string>>;
  readonly newFiles?: Readonly<Record<string, string>>;
}
