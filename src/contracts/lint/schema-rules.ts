import { hiddenChecks } from '../formats/hidden-checks.ts';
import { type LintRule, perContract } from './lint-rule.ts';

/** About what a schema keeps to itself. */
export const schemaRules: readonly LintRule[] = [
  {
    name: 'hidden-check',
    severity: 'warning',
    why: 'What JSON Schema cannot say is checked at every publish and read, but no comparison sees it: a change of it breaks consumers unannounced.',
    find: perContract(({ contract }) =>
      hiddenChecks(contract).map(({ path, what }) => ({
        path,
        message: `The schema has ${what} ${path === '' ? 'on the payload' : 'here'}.`,
        remedy:
          'Say it with a bound, an enum or a pattern without flags; or keep it, and check its changes against the log.',
      })),
    ),
  },
];
