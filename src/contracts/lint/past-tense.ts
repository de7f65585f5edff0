const participles = `
  arisen awoken beaten become begun bent bet bid bitten blown bound bought bred broadcast broken brought built burnt cast caught
  chosen clung come cost crept cut dealt done drawn driven drunk dug eaten fallen fed felt fled flown forbidden forecast foreseen
  forgiven forgotten fought found frozen given gone got gotten ground grown heard held hidden hit hung hurt input kept known laid
  lain learnt led left lent let lit lost made meant met mistaken offset outdone overcome overdrawn overpaid overridden overrun
  overtaken overwritten paid prepaid proven put quit rebuilt read rebid redone redrawn repaid reran rerun reset resold retaken rewound
  resent rewritten ridden risen run said seen sent set shaken shed shot shown shut slid sold sought spent split spoken spread sprung stolen
  stood struck stuck sung sunk swept sworn swum swung taken taught thought thrown told torn underpaid understood undertaken undone
  upheld upset withdrawn withheld withstood woken won worn wound woven written
  began broke chose drew drove fell flew forgot froze gave grew knew ran rang rose sang saw spoke stole swam threw took went withdrew
  woke wore wrote`;

const irregular: ReadonlySet<string> = new Set(participles.trim().split(/\s+/));

/** End in -ed and are no past tense. */
const falseFriends: ReadonlySet<string> = new Set(
  'bed biped embed hundred infrared kindred naked red sacred sled wicked'.split(' '),
);
/** Of the words in -eed only these: need, feed, proceed and the like are not. */
const inEed: ReadonlySet<string> = new Set('agreed decreed disagreed freed guaranteed refereed'.split(' '));

/** `timed-out`, `checked-in`: the verb stands before. */
const particles: ReadonlySet<string> = new Set(
  'away back down forward in off on out over through together up'.split(' '),
);

/** Also an order: `put`, `set`, `reset-password` ask for something as well. */
const sameInBoth: ReadonlySet<string> = new Set(
  `become bet bid broadcast burst cast come cost cut forecast hit hurt input let offset overcome overrun put quit read rebid
   rerun reset run set shed shut split spread upset`.split(/\s+/),
);

const isPastVerb = (word: string): boolean => {
  if (irregular.has(word)) return true;
  if (word.endsWith('eed')) return inEed.has(word);
  return word.length > 3 && word.endsWith('ed') && !falseFriends.has(word);
};

const verbOf = (action: string): string => {
  const words = action.split(/[-_]/).filter((word) => word !== '');
  const last = words.at(-1) ?? '';
  return particles.has(last) && words.length > 1 ? (words.at(-2) ?? '') : last;
};

/** Whether an action says that something happened: its last word, or the one before a particle, is a verb in the past tense. */
export const isPastTense = (action: string): boolean => isPastVerb(verbOf(action));

/** Whether it can be nothing else: `charged`, where `put` may be either. */
export const isOnlyPastTense = (action: string): boolean =>
  isPastTense(action) && !sameInBoth.has(verbOf(action));
