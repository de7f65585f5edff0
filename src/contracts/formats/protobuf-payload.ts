/** A file of ours says which message is the payload, so that another choice is a change that comparing sees. */
export const payloadFile = 'factline-payload.proto';
export const payloadMessage = 'FactlinePayload';

export const payloadText = (file: string, message: string): string =>
  `syntax = "proto3"; import "${file}"; message ${payloadMessage} { .${message} payload = 1; }`;
