import { type LintedContract, type LintRule, perContract } from './lint-rule.ts';
import type { PayloadField } from './payload-fields.ts';

const fieldsMax = 40;
const depthMax = 5;
const bytesP95Max = 16 * 1024;

const has = (words: readonly string[], sought: string): boolean => {
  const [first = '', ...rest] = sought.split(' ');
  return words.some(
    (word, at) => word === first && rest.every((next, index) => words[at + 1 + index] === next),
  );
};
const hasAny = (words: readonly string[], sought: readonly string[]): boolean =>
  sought.some((each) => has(words, each));

const list = (text: string): readonly string[] => text.split(',').map((each) => each.trim());

const personalNames = list(
  `email, e mail, mail address, phone, telephone, mobile number, fax, first name, firstname, given name, last name, lastname,
   surname, family name, middle name, full name, fullname, maiden name, nickname, address, street, postcode, post code, postal code,
   zip code, zipcode, birth, birthday, birthdate, birthplace, dob, gender, nationality, passport, ssn, social security, national id,
   tax id, driving licence, driver license, iban, bank account, account holder, cardholder, card holder, ip address, ip, latitude,
   longitude, geolocation`,
);
const secretNames = list(
  `password, passwd, passphrase, secret, api key, apikey, access token, refresh token, auth token, private key, card number, cvv,
   cvc, pin code, otp`,
);
const people = list(
  'customer, user, person, contact, recipient, buyer, employee, patient, member, passenger, guest, subscriber',
);
/** What tells that a field is about something technical: an address of a server, an IP range. */
const isText = ({ types }: PayloadField): boolean =>
  types.size === 0 || types.has('string') || types.has('object');

const isPersonal = (field: PayloadField): boolean => {
  const { words, parentWords, types } = field;
  if (words.at(-1) === 'id' && !hasAny(words, ['national id', 'tax id'])) return false;
  if (hasAny(words, ['latitude', 'longitude'])) return true;
  if (!isText(field)) return types.has('array') && hasAny(words, personalNames);
  // A name alone may be a product's: it is a person's beside or below one.
  const name =
    words.at(-1) === 'name' && (hasAny(words, people) || (words.length === 1 && hasAny(parentWords, people)));
  return name || hasAny(words, personalNames);
};

const isCovered = ({ described }: LintedContract, path: string): boolean =>
  [...described.sensitivity.keys()].some((declared) => path === declared || path.startsWith(`${declared}.`));

const moneyNames = list(
  `price, amount, total, subtotal, cost, fee, balance, salary, wage, tax, vat, discount, pence, cents, pounds, dollars, euros, eur,
   usd, gbp, revenue, refund, charge, payment, money, fare, rent`,
);
/** What is counted or measured beside money. */
const notMoney = list(
  'rate, percent, percentage, ratio, count, factor, share, weight, score, id, at, seconds, ms, days, hours',
);

const timeNames = list('at, time, timestamp, datetime, date time');
/** A pattern is one of times when it takes this and not just any text. */
const localTime = '2026-01-31T12:00:00';

const acceptsLocalTime = (pattern: unknown): boolean => {
  if (typeof pattern !== 'string') return false;
  try {
    const expression = new RegExp(pattern, 'u');
    return expression.test(localTime) && !expression.test('any text');
  } catch {
    return false;
  }
};

/** 'none': a text of which nobody knows the form; 'local': a time that means another moment in each place. */
const timeFault = ({ words, types, schema }: PayloadField): 'none' | 'local' | null => {
  if (!types.has('string') || types.has('object')) return null;
  const { format, pattern } = schema;
  if (acceptsLocalTime(pattern)) return 'local';
  const named = timeNames.includes(words.at(-1) ?? '') && words.length > 1;
  const said =
    format !== undefined ||
    pattern !== undefined ||
    'enum' in schema ||
    'const' in schema ||
    'anyOf' in schema;
  return named && !said ? 'none' : null;
};

const topFields = ({ fields }: LintedContract): readonly PayloadField[] =>
  fields.filter(({ depth }) => depth === 1);

/** Carries something beside what names it. */
const carriesMore = (contract: LintedContract): boolean => {
  const { fields, described } = contract;
  return (
    fields.length === 0 ||
    topFields(contract).some(({ path, words }) => !described.key.includes(path) && words.at(-1) !== 'id')
  );
};

export const payloadRules: readonly LintRule[] = [
  {
    name: 'fat-event',
    severity: 'warning',
    why: 'A copy of the whole entity ties every consumer to every field, and is slow to read for all of them.',
    find: perContract(({ fields, bytesP95 }) => {
      const depth = Math.max(0, ...fields.map((field) => field.depth));
      const faults = [
        ...(fields.length > fieldsMax
          ? [`${fields.length} fields (at most ${fieldsMax} are easy to keep)`]
          : []),
        ...(depth > depthMax ? [`${depth} levels (at most ${depthMax})`] : []),
        ...(bytesP95 !== null && bytesP95 > bytesP95Max
          ? [`5 of 100 payloads in the log are larger than ${Math.floor(bytesP95 / 1024)} KiB`]
          : []),
      ];
      if (faults.length === 0) return [];
      return [
        {
          message: `It has ${faults.join(', ')}.`,
          remedy: 'Tell what happened and what changed; store the bulk elsewhere and refer to it.',
        },
      ];
    }),
  },
  {
    name: 'thin-event',
    severity: 'warning',
    why: 'With ids alone every consumer has to ask the producer what happened, and by then it may be otherwise.',
    find: perContract((contract, { contracts }) => {
      // What else is known under the same key may have come with an earlier event.
      const told = contracts.some(
        (each) => each.described.key.join() === contract.described.key.join() && carriesMore(each),
      );
      // To ask for something its id is enough.
      if (told || contract.contract.kind === 'command') return [];
      return [
        {
          message: `It carries nothing but ids, and no other event with the key ${contract.described.key.join(', ')} does.`,
          remedy: 'Add what consumers need to act on it.',
        },
      ];
    }),
  },
  {
    name: 'personal-data',
    severity: 'error',
    why: 'Who may see a field, and what must be erased, is decided by its sensitivity; what is not declared is shown and kept.',
    find: perContract((contract) =>
      contract.fields
        .filter((field) => !isCovered(contract, field.path))
        .flatMap((field) => {
          const secret = isText(field) && hasAny(field.words, secretNames);
          if (!secret && !isPersonal(field)) return [];
          const level = secret ? 'secret' : 'personal';
          return [
            {
              path: field.path,
              message: `${field.path} sounds ${level}, and no sensitivity is declared.`,
              remedy: `Add sensitivity: { '${field.path}': '${level}' }.`,
            },
          ];
        }),
    ),
  },
  {
    name: 'money-as-float',
    severity: 'error',
    why: 'Binary fractions cannot hold a tenth: sums drift by pennies.',
    find: perContract(({ fields }) =>
      fields
        .filter(({ words, types, schema }) => {
          const counted = typeof schema['multipleOf'] === 'number' && Number.isInteger(schema['multipleOf']);
          return types.has('number') && !counted && hasAny(words, moneyNames) && !hasAny(words, notMoney);
        })
        .map(({ path }) => ({
          path,
          message: `${path} is a number with a fraction.`,
          remedy: 'Use whole numbers of the smallest unit (pence), or decimal text with its currency.',
        })),
    ),
  },
  {
    name: 'time-without-zone',
    severity: 'error',
    why: 'A time without its zone is another moment for every reader.',
    find: perContract(({ fields }) =>
      fields.flatMap((field) => {
        const fault = timeFault(field);
        if (fault === null) return [];
        return [
          {
            path: field.path,
            message:
              fault === 'local'
                ? `${field.path} takes a time without a zone.`
                : `${field.path} is named like a time, and its form is not said.`,
            remedy: 'Use ISO 8601 with a zone: z.iso.datetime(), or format "date-time".',
          },
        ];
      }),
    ),
  },
];
