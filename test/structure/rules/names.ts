import { eachFile, type Rule } from '../rule.ts';

/** Such a name says nothing, so everything gathers there. */
const vague = /^(utils?|helpers?|types?|commons?|miscs?|miscellaneous)$/;
const kebab = /^[a-z0-9]+(-[a-z0-9]+)*$/;

const partsOf = (path: string): string[] => path.split('/');
const stemOf = (part: string): string => part.replace(/\..*$/, '');

const isOurs = (path: string): boolean =>
  /^(src|test|scripts|examples|tools|bench|console|lint)\//.test(path);

export const namesSayWhat: Rule = eachFile(
  'no file or folder is called utils, helpers, types, common or misc',
  isOurs,
  (file) =>
    partsOf(file.path)
      .map(stemOf)
      .filter((stem) => vague.test(stem))
      .map((stem) => ({ line: 0, message: `"${stem}" says nothing: name it after what it holds` })),
);

/** Migrations carry a number and words of SQL: `0001_first.sql`. */
const isMigration = (path: string): boolean => /\/migrations\/\d{4}_[a-z0-9_]+\.sql$/.test(path);

export const namesInKebabCase: Rule = eachFile(
  'files and folders are named in kebab-case',
  (path) => isOurs(path) && /\.(ts|mjs|sql)$/.test(path) && !isMigration(path),
  (file) =>
    partsOf(file.path)
      .map((part, at, parts) =>
        at === parts.length - 1 ? part.replace(/(\.int)?(\.test)?(\.config)?\.[a-z]+$/, '') : part,
      )
      .filter((part) => !kebab.test(part))
      .map((part) => ({ line: 0, message: `"${part}" is not in kebab-case` })),
);
