package journal

import (
	"errors"
	"fmt"
	"time"

	"example.com/fairlead/events"
)

var (
	// ErrClosed is returned by a journal that was closed.
	ErrClosed = errors.New("journal is closed")

	// ErrInDoubt is in the error of [Journal.Submit] if it is not known whether the call was accepted, since ctx ended
	// while it was being written, or the disk failed. Submit the call again, with the ID that Submit has returned. That
	// makes no second call.
	ErrInDoubt = errors.New("journal: it is not known whether the call was accepted: submit it again with the same ID")

	// ErrFailed is in the errors of a journal whose file could not be written. It accepts nothing more. Open the file
	// again when the disk is in order.
	ErrFailed = errors.New("journal: the file could not be written")

	// ErrOtherCall is in the error of a Submit whose ID belongs to a call with another handler, payload or key.
	ErrOtherCall = errors.New("journal: the ID belongs to another call")

	// ErrUnknown is in the error for an ID that the journal does not know: no call with it was accepted, or it has ended
	// and was forgotten since.
	ErrUnknown = errors.New("journal: there is no call with this ID")

	// ErrNotDead is in the error of [Journal.Again] and [Journal.Forget] for a call that is no dead letter.
	ErrNotDead = errors.New("journal: the call is not a dead letter")

	// ErrNoHandler is in the error of [Journal.Wait] for a call whose handler is not in [Config.Handlers].
	ErrNoHandler = errors.New("journal: the call waits for a handler that is not in Config.Handlers")
)

var errNilContext = errors.New("journal: nil context: pass context.Background() if there is none")

// Letter is a dead letter: a call that has ended without success. The file keeps it until [Journal.Again] or
// [Journal.Forget].
type Letter struct {
	ID       string
	Handler  string
	Key      string
	Attempts int       // that the call has made
	At       time.Time // when it ended

	// End says how it has ended, such as [events.Exhausted] for a call without retries left. It is [events.Refused] if the
	// scheduler did not take the call up again, for example since its cost is now above the capacity. Zero means that
	// the process has died too often while the call ran: see [Config.MaxCrashes].
	End events.Kind

	Reason string // the text of the error with which it has ended, or its first 64 KiB

	// Payload is that of the call. [Journal.Dead] reads it from the file. In a [DeadError] it is nil.
	Payload []byte
}

// DeadError is the error of a call that has become a dead letter. It is returned by [Journal.Wait], and by
// [Journal.Submit] with the ID of such a call.
type DeadError struct{ Letter }

func (e *DeadError) Error() string {
	attempts := "1 attempt"
	if e.Attempts != 1 {
		attempts = fmt.Sprintf("%d attempts", e.Attempts)
	}
	return fmt.Sprintf("journal: call %q is a dead letter after %s: %s: see Journal.Again and Forget", e.ID, attempts, e.Reason)
}
