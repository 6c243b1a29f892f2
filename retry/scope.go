package retry

import "strconv"

// Scope says which calls of a scheduler a [Verdict] concerns. Its wait holds them, and a refusal because
// of a rate limit slows them down. The zero Scope is ScopeDefault.
type Scope uint8

// The scopes. A call's key says on whose behalf it is made, such as a customer. All calls without a key
// share one.
const (
	ScopeDefault Scope = iota // as the scheduler is configured; without keys, all calls
	ScopeCall                 // the refused call alone
	ScopeKey                  // all calls with the same key
	ScopeAll                  // all calls
)

// String returns "default", "this call alone", "this call's key" or "all calls".
func (s Scope) String() string {
	switch s {
	case ScopeDefault:
		return "default"
	case ScopeCall:
		return "this call alone"
	case ScopeKey:
		return "this call's key"
	case ScopeAll:
		return "all calls"
	}
	return "Scope(" + strconv.Itoa(int(s)) + ")"
}

// wider returns the wider of two scopes. ScopeDefault is between ScopeKey and ScopeAll, since it may
// mean either of them.
func (s Scope) wider(t Scope) Scope {
	if t.width() > s.width() {
		return t
	}
	return s
}

// width ranks the scopes from narrow to wide.
func (s Scope) width() int {
	if s == ScopeDefault {
		return 2*int(ScopeKey) + 1
	}
	return 2 * int(s)
}
