/** Who may do what, and governed replay. */
export const replayErrors = {
  FORBIDDEN: {
    message: '{actor} may not do {act}: it takes the role {needed}, and {actor} has {has}.',
    cause:
      'Roles are declared for this database, and every act is checked against them. The attempt is on record.',
    remedy: 'Ask somebody who has that role, or declare it: createFactline({ roles: { NAME: [ROLE] } }).',
  },
  DUTIES_NOT_SEPARATE: {
    message: '{actor} cannot approve the replay {replay}: {actor} {did} it.',
    cause: 'A second person looks at what a replay will do before it does it. The attempt is on record.',
    remedy:
      'Ask somebody else. In an emergency: npx factline replay approve {replay} --break-glass --reason TEXT',
  },
} as const;
