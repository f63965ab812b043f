// Runs a health script as Argo CD runs one from its ConfigMap: the same interpreter, the same few
// libraries, the same second. Standard input holds {"script": ..., "objects": [...]}, standard output
// gets one {"status", "message"} or {"error"} for each object.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"time"

	lua "github.com/yuin/gopher-lua"
	luajson "layeh.com/gopher-json"
)

type request struct {
	Script  string            `json:"script"`
	Objects []json.RawMessage `json:"objects"`
}

type failure struct {
	Error string `json:"error"`
}

var libraries = map[string]lua.LGFunction{
	lua.LoadLibName: lua.OpenPackage,
	lua.BaseLibName: lua.OpenBase,
	lua.TabLibName:  lua.OpenTable,
}

func main() {
	var asked request
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		log.Fatal(err)
	}
	answers := make([]any, 0, len(asked.Objects))
	for _, object := range asked.Objects {
		answer, err := health(asked.Script, object)
		if err != nil {
			answers = append(answers, failure{err.Error()})
			continue
		}
		answers = append(answers, json.RawMessage(answer))
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		log.Fatal(err)
	}
}

func health(script string, object []byte) ([]byte, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, name := range []string{lua.LoadLibName, lua.BaseLibName, lua.TabLibName} {
		call := lua.P{Fn: state.NewFunction(libraries[name]), Protect: true}
		if err := state.CallByParam(call, lua.LString(name)); err != nil {
			return nil, err
		}
	}
	limit, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(limit)
	value, err := luajson.Decode(state, object)
	if err != nil {
		return nil, err
	}
	state.SetGlobal("obj", value)
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	return luajson.Encode(state.Get(-1))
}
