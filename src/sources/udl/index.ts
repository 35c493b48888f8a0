/** See README.md: what this folder is for and what it must not do. */
export { HeldBack, createUdlSource } from './source.ts';
export type { UdlSource } from './source.ts';
export type { AnswerHeader, CountAnswer, SliceAnswer, SliceFailure, SliceQuery, WrongBody } from './answer.ts';
export { readKeptBody } from './kept-body.ts';
export type { KeptAnswer } from './kept-body.ts';
