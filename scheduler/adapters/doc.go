// Package adapters lets a scheduler or a retry policy be plugged into other libraries,
// by having the methods of their interfaces. None of them is imported:
//
//   - [Limiter] limits whatever takes a golang.org/x/time/rate.Limiter by its methods, the
//     REST clients of k8s.io/client-go, the GitLab client, gRPC by the interceptors of
//     go-grpc-middleware, code that uses go.uber.org/ratelimit, and the retries of
//     aws-sdk-go-v2;
//   - [Resty] limits resty.dev/v3, whose method has the name of another's;
//   - [BackOff] is a policy for github.com/cenkalti/backoff;
//   - [Workqueue] is a policy for the work queues of k8s.io/client-go;
//   - package hashicorp, below this one, is a policy for hashicorp/go-retryablehttp. It
//     needs net/http, which this package does without.
//
// What is plugged in elsewhere does no more than its interface lets it: it waits for
// tokens, or says how long to wait. A scheduler that runs the calls itself, by
// [scheduler.Scheduler.Do], knows besides when they are over and how they went. So only
// there do its MaxInFlight, its retries and what a server said count.
package adapters
