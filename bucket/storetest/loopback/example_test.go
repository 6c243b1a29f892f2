package loopback_test

import (
	"fmt"
	"net"
	"net/http"

	"example.com/fairlead/bucket/storetest/loopback"
)

// A client finds a server again that was restarted.
func Example() {
	addr, free, err := loopback.Hold()
	if err != nil {
		panic(err)
	}
	defer free()
	for run := 1; run <= 2; run++ {
		listener, err := net.Listen("tcp", addr)
		if err != nil {
			panic(err)
		}
		served := make(chan error)
		server := &http.Server{Handler: http.NotFoundHandler()}
		go func() { served <- server.Serve(listener) }()
		res, err := http.Get("http://" + addr)
		if err != nil {
			panic(err)
		}
		fmt.Println("run", run, "answers", res.StatusCode)
		_ = res.Body.Close()
		_ = server.Close()
		<-served
	}
	// Output:
	// run 1 answers 404
	// run 2 answers 404
}

// While no server listens, connections are refused.
func ExampleHold() {
	addr, free, err := loopback.Hold()
	if err != nil {
		panic(err)
	}
	defer free()
	_, err = net.Dial("tcp", addr)
	fmt.Println("refused:", err != nil)
	// Output:
	// refused: true
}
