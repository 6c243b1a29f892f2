package adapters

import "context"

// Limit is Wait, by the name that it has in the ratelimit.Limiter of
// grpc-ecosystem/go-grpc-middleware: for its interceptors of clients, and of servers that
// make their clients wait. A call whose deadline can't be met is refused at once. A
// server that would rather refuse what it can't take at once has [scheduler.NoWait] among
// the Options.
func (l Limiter) Limit(ctx context.Context) error { return l.Wait(ctx) }
