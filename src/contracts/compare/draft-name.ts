import { FactlineError } from '../../foundation/index.ts';

/** People write `7`, `draft7`, `draft-07` and `draft-2020-12`. @throws FactlineError OPTION_INVALID */
export const draftNamed = (text: string): 'draft-04' | 'draft-06' | 'draft-07' | '2019-09' | '2020-12' => {
  const [, number, date] = /^(?:draft-?)?(?:0?([467])|(2019-09|2020-12))$/i.exec(text) ?? [];
  if (number !== undefined) return `draft-0${number as '4' | '6' | '7'}`;
  if (date !== undefined) return date as '2019-09' | '2020-12';
  const expected = '2020-12, 2019-09, draft-07, draft-06 or draft-04';
  throw new FactlineError('OPTION_INVALID', { option: 'draft', expected, actual: text });
};
