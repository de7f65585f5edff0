// Only for `prisma generate`, which needs some URL but connects to nothing.
export default {
  schema: 'prisma/schema.prisma',
  datasource: { url: 'postgres://localhost/none' },
};
