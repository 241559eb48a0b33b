export {
  type ActivationReply,
  encodeActivationReply,
  type ParsedActivationReply,
  parseActivationReply,
} from './activation-reply.ts';
export {
  type ActivationRequest,
  encodeActivationRequest,
  fingerprintBytes,
  type ParsedActivationRequest,
  parseActivationRequest,
  type ReceivedActivationRequest,
} from './activation-request.ts';
export {
  type ActivationResult,
  encodeActivationResult,
  type ParsedActivationResult,
  parseActivationResult,
} from './activation-result.ts';
export { type ChainMemory, createChainMemory, type VerifiedChain } from './chain-memory.ts';
export {
  isMakRefusalCode,
  type LicenceStatusName,
  licenceStatusName,
  licenceStatusNumber,
  type MakRefusalCode,
  machineClassName,
  machineClassNumber,
  resultCodeName,
  resultCodeNumber,
  type WireResultCodeName,
} from './enumerations.ts';
export { type ErrorReply, encodeErrorReply, type ParsedErrorReply, parseErrorReply } from './error-reply.ts';
export { findNonce } from './find-nonce.ts';
export { classifyFirstBytes, type ForeignProtocol, foreignProtocols } from './foreign-protocol.ts';
export { encodeFrame, type Frame, FrameType, frameHeaderBytes, protocolVersion } from './frame.ts';
export { type FrameProblem, FrameReader, type FrameStep, type FramesRead } from './frame-reader.ts';
export { maximumPingBytes, maximumReplyPayloadBytes, maximumRequestPayloadBytes, nonceBytes } from './limits.ts';
export {
  encodeMakReply,
  type MakReply,
  type ParsedMakReply,
  parseMakReply,
} from './mak-reply.ts';
export {
  encodeMakRequest,
  type MakRequest,
  type ParsedMakRequest,
  parseMakRequest,
  type ReceivedMakRequest,
} from './mak-request.ts';
export type { MessageProblem } from './message-problem.ts';
export { encodePing, encodePong, type ParsedPing, parsePing, parsePong } from './ping.ts';
export { type SignedResult, signResults } from './sign-results.ts';
export { formatUuid, parseUuid } from './uuid.ts';
export { type AskedInstallation, verifyConfirmationFor } from './verify-confirmation-for.ts';
export {
  defaultClockToleranceMs,
  maximumValidityMinutes,
  type VerifiedActivation,
  type VerifyActivationReplyOptions,
  verifyActivationReply,
} from './verify-reply.ts';
