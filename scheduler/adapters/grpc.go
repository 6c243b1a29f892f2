package adapters

import "context"

// Limit does the same as Wait, for the ratelimit.Limiter of grpc-ecosystem/go-grpc-middleware. It
// works with the interceptors of clients, and with those of servers that make their clients wait. A
// call whose deadline can't be met is refused at once. For a server that refuses instead of waiting,
// set [scheduler.NoWait] in the Options. With a Key, for example the peer or a tenant of the context,
// a server's clients share its budgets fairly.
func (l Limiter) Limit(ctx context.Context) error { return l.Wait(ctx) }
