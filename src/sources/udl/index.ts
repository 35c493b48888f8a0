/** See README.md: what this folder is for and what it must not do. */
export { createUdlSource } from './source.ts';
export type { UdlSource } from './source.ts';
export type { AnswerHeader, CountAnswer, SliceAnswer, SliceFailure, SliceQuery } from './answer.ts';
