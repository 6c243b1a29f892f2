// Package adapters plugs a scheduler or a retry policy into other libraries. Its types have the
// methods of their interfaces. None of the libraries is imported:
//
//   - [Limiter] replaces a golang.org/x/time/rate.Limiter that is used by its methods, and limits
//     the REST clients of k8s.io/client-go, the GitLab client, gRPC by the interceptors of
//     go-grpc-middleware, code that uses go.uber.org/ratelimit, and the retries of aws-sdk-go-v2;
//   - [Resty] limits resty.dev/v3, whose Allow differs from that of other libraries;
//   - [BackOff] is a policy for github.com/cenkalti/backoff;
//   - [Workqueue] is a policy for the work queues of k8s.io/client-go;
//   - package hashicorp, below this one, is a policy for hashicorp/go-retryablehttp. It needs
//     net/http, which this package does without.
//
// An adapter does no more than the library's interface allows. It waits for tokens, or says how
// long to wait. Only a scheduler that runs the calls itself, by [scheduler.Scheduler.Do], knows
// when they end and how. So MaxInFlight, retries and servers' waits work only there.
package adapters
