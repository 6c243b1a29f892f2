package retry_test

import (
	"errors"
	"fmt"
	"io"
	"net"

	"example.com/fairlead/retry"
)

// An order may be sent again if no server has begun to process it.
func ExampleNotProcessed() {
	noConnection := fmt.Errorf("order 17: %w", &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")})
	fmt.Println(retry.Network(noConnection), retry.NotProcessed(noConnection))
	fmt.Println(retry.Network(io.ErrUnexpectedEOF), retry.NotProcessed(io.ErrUnexpectedEOF))
	// Output:
	// transient true
	// transient false
}
