// What tests and the image need of gRPC's health service, from the module that has it compiled in:
//
//	grpc_health proto         prints its description, which no Go module has as a file
//	grpc_health serve ADDRESS is a server that is healthy, and describes itself (reflection)
package main

import (
	"fmt"
	"log"
	"net"
	"os"

	"github.com/jhump/protoreflect/desc"
	"github.com/jhump/protoreflect/desc/protoprint"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
)

func main() {
	var err error
	switch arguments := os.Args[1:]; {
	case len(arguments) == 1 && arguments[0] == "proto":
		err = describe()
	case len(arguments) == 2 && arguments[0] == "serve":
		err = serve(arguments[1])
	default:
		err = fmt.Errorf("usage: grpc_health proto | grpc_health serve ADDRESS")
	}
	if err != nil {
		log.Fatal(err)
	}
}

func describe() error {
	file, err := desc.WrapFile(grpc_health_v1.File_grpc_health_v1_health_proto)
	if err != nil {
		return err
	}
	return new(protoprint.Printer).PrintProtoFile(file, os.Stdout)
}

func serve(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	reflection.Register(server)
	fmt.Println(listener.Addr())
	return server.Serve(listener)
}
