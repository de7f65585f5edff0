/** What Factline reads. 06 is read as 07, which only adds to it. */
export type JsonSchemaDraft = 'draft-04' | 'draft-06' | 'draft-07' | '2019-09' | '2020-12';

export const jsonSchemaDrafts: readonly JsonSchemaDraft[] = [
  'draft-04',
  'draft-06',
  'draft-07',
  '2019-09',
  '2020-12',
];

const named = /json-schema\.org\/(?:draft\/)?(draft-04|draft-06|draft-07|2019-09|2020-12)\/schema/;

export const isMetaSchema = (uri: string): boolean => named.test(uri);

/** What `$schema` says, if it is one of these drafts. */
export const draftNamedBy = (schema: unknown): string | undefined => {
  const name =
    typeof schema === 'object' && schema !== null ? (schema as { $schema?: unknown }).$schema : undefined;
  return typeof name === 'string' ? named.exec(name)?.[1] : undefined;
};

/** `$schema` decides when nobody said otherwise; 2020-12 when it does not say either. */
export const draftOf = (schema: unknown, draft?: JsonSchemaDraft): JsonSchemaDraft => {
  const name = draft ?? draftNamedBy(schema);
  return jsonSchemaDrafts.find((known) => known === name) ?? '2020-12';
};

/** From here on `$ref` stands beside other keywords; before, it replaces them. */
export const refHasSiblings = (draft: JsonSchemaDraft): boolean => draft === '2019-09' || draft === '2020-12';
